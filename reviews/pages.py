"""The pages about a product's reviews."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.login_steps import page_user
from accounts.models import User
from cryptons.db import now_as_stored
from cryptons.page_limits import CART, TooManyForms, count_form, limit_forms
from cryptons.private_link import private_link
from cryptons.response_cache import ready_bytes
from reviews.asking import read_stop_link, stop_mails
from reviews.forms import ReviewForm
from reviews.models import Review
from reviews.reads import read_page
from reviews.voting import take_vote_back, vote
from reviews.writing import delete_review, edit_review, submit_review
from shop.cart.same_origin import same_origin_only
from shop.catalogue.reads import find_shown, page_version
from shop.errors import ShopError
from shop.models import Product

SORTS = {
    "newest": gettext_lazy("Newest"),
    "helpful": gettext_lazy("Most helpful"),
    "highest": gettext_lazy("Best rated"),
    "lowest": gettext_lazy("Worst rated"),
}


@require_safe
@ready_bytes(versions=page_version, parameters=("sort", "page"), holes=True)
def reviews(request: HttpRequest, slug: str) -> HttpResponse:
    product = _find(slug)
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "newest"
    context = {
        "product": product,
        "page": read_page(product, sort, request.GET.get("page", "")),
        "page_query": f"sort={sort}",
        "sort": sort,
        "sorts": list(SORTS.items()),
        "crumbs": _crumbs(product, _("Reviews")),
    }
    return render(request, "reviews/list.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def write(request: HttpRequest, slug: str) -> HttpResponse:
    """Write a review, or change one's own."""
    product, user = _find(slug), page_user(request)
    review = Review.objects.filter(product=product, user=user).first()
    initial = {"rating": review.rating, "comment": review.comment} if review else {}
    form = ReviewForm(request.POST if request.method == "POST" else None, initial=initial)
    context = {"product": product, "review": review, "form": form, "crumbs": _crumbs(product, _("Your review"))}
    if request.method == "POST":
        try:
            count_form(request, CART)
        except TooManyForms as error:
            return error.answer(render(request, "reviews/write.html", {**context, "problem": str(error)}))
        if form.is_valid():
            try:
                if review is None:
                    submit_review(user, product, **form.cleaned_data)
                else:
                    edit_review(review.pk, at=now_as_stored(), **form.cleaned_data)
            except (ShopError, Review.DoesNotExist) as error:
                problem = str(error) if isinstance(error, ShopError) else _("Your review was deleted. You can send it again.")
                return render(request, "reviews/write.html", {**context, "problem": problem}, status=409)
            messages.success(request, _("Thank you. Others see your review once we have checked it."))
            return redirect(product)
    return render(request, "reviews/write.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
@limit_forms(CART)
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    product = _find(slug)
    if review := Review.objects.filter(product=product, user=page_user(request)).first():
        delete_review(review.pk)
        messages.success(request, _("Your review is deleted."))
    return redirect(product)


@require_POST
@same_origin_only
@limit_forms(CART)
def helpful(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Count the visitor's vote, or take it back if it was counted."""
    review = Review.objects.published().select_related("product").filter(pk=pk, product__is_listed=True).first()
    if review is None:
        raise Http404(_("Review not found"))
    if not request.user.is_authenticated:
        messages.info(request, _("Please log in to say that a review has helped you."))
        return redirect(f"{reverse('accounts:login')}?next={review.product.get_absolute_url()}")
    user = page_user(request)
    try:
        if take_vote_back(user, review):
            messages.success(request, _("Your vote is taken back."))
        else:
            vote(user, review)
            messages.success(request, _("Thank you for your vote."))
    except Review.DoesNotExist as error:
        raise Http404(_("Review not found")) from error
    except ShopError as error:
        messages.error(request, str(error))
    return redirect(f"{review.product.get_absolute_url()}#reviews")


@require_http_methods(["GET", "HEAD", "POST"])
@private_link
def no_mails(request: HttpRequest, token: str) -> HttpResponse:
    """Ask to confirm, because programs that check mails follow their links."""
    user_id = read_stop_link(token)
    if user_id is None or not User.objects.filter(pk=user_id).exists():
        raise Http404(_("There is no such link."))
    if request.method == "POST":
        stop_mails(user_id)
        messages.success(request, _("We ask you for reviews no more."))
        return redirect("shop:home")
    return render(request, "reviews/no_mails.html")


def _find(slug: str) -> Product:
    product = find_shown(slug=slug)
    if product is None:
        raise Http404(_("Product not found"))
    return product


def _crumbs(product: Product, here: str) -> list[tuple[str, str]]:
    return [(_("Home"), reverse("shop:home")), (product.name, product.get_absolute_url()), (here, "")]
