"""Reviews for staff: read, approved, rejected and deleted; their words belong to who wrote them."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.db import now_as_stored
from cryptons.formats import short_moment
from reviews.models import Review
from reviews.moderation import approve_review, reject_review
from shop.errors import ShopError

DECISIONS = {"approve": approve_review, "reject": reject_review}
CHANGE = "reviews.change_review"
DELETE_WITH_IT = ("shop.delete_product", "accounts.delete_user")


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", gettext("Waiting")), ("approved", gettext("Approved")), ("rejected", gettext("Rejected"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Review]) -> QuerySet[Review]:
        chosen = {"waiting": Review.objects.waiting, "approved": Review.objects.published, "rejected": Review.objects.rejected}
        choose = chosen.get(self.value() or "")
        return queryset & choose() if choose else queryset


@admin.register(Review)
class ReviewAdmin(AtomicModelAdmin[Review]):
    list_display: tuple[str, ...] = ("written", "state", "decide", "stars", "product", "beginning", "author")
    list_filter = (StateFilter, "rating", "verified_purchase", "created_at")
    list_select_related = ("product", "user")
    list_per_page = 50
    search_fields = ("comment", "product__name", "user__username")
    search_help_text = _("Comment, product or username")
    ordering = ("-created_at",)
    show_full_result_count = False
    actions = ("approve_selected", "reject_selected")
    fields = ("product", "author", "written", "stars", "words", "helpful_votes", "state", "decide")

    class Media:
        css = {"all": ("css/admin_orders.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Review | None = None) -> bool:
        """A review goes with its product and its author: who may delete these may not be kept from it."""
        return super().has_delete_permission(request, obj) or any(request.user.has_perm(name) for name in DELETE_WITH_IT)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        may_decide = request.user.has_perm(CHANGE)
        return tuple(name for name in self.list_display if may_decide or name != "decide")

    def get_fields(self, request: HttpRequest, obj: Review | None = None) -> Any:
        return self.fields if request.user.has_perm(CHANGE) else self.fields[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: Review | None = None) -> Any:
        return self.get_fields(request, obj)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        nothing_to_save = {"show_save": False, "show_save_and_continue": False}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **nothing_to_save})

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        """Save nothing: there is no field to change, and the row may be changing now."""

    # --- What is shown ---

    @admin.display(description=_("written at"), ordering="created_at")
    def written(self, review: Review) -> str:
        return short_moment(review.created_at)

    @admin.display(description=_("rating"), ordering="rating")
    def stars(self, review: Review) -> SafeString:
        stars = "★" * review.rating + "☆" * (5 - review.rating)
        return format_html('<span role="img" aria-label="{}">{}</span>', str(review), stars)

    @admin.display(description=_("comment"))
    def beginning(self, review: Review) -> str:
        return Truncator(review.comment).chars(160) or "–"

    @admin.display(description=_("comment"))
    def words(self, review: Review) -> SafeString | str:
        lines = review.comment.splitlines()
        return format_html_join(SafeString("<br>"), "{}", ((line,) for line in lines)) if lines else "–"

    @admin.display(description=_("user"), ordering="user__username")
    def author(self, review: Review) -> str:
        name = review.user.get_username()
        return gettext("%(name)s, has bought it") % {"name": name} if review.verified_purchase else name

    @admin.display(description=_("state"))
    def state(self, review: Review) -> SafeString:
        if review.approved:
            return _badge("success", gettext("Approved"))
        return _badge("warning", gettext("Waiting")) if review.decided_at is None else _badge("danger", gettext("Rejected"))

    @admin.display(description=_("decide"))
    def decide(self, review: Review) -> SafeString:
        """Show a button for each decision that is not the one that stands. They send the form around them, which has the token.

        The address has the review's version, so that nobody decides about words that were changed after the page was shown.
        """
        offered = []
        if not review.approved:
            offered.append(("approve", gettext("Approve")))
        if review.approved or review.decided_at is None:
            offered.append(("reject", gettext("Reject")))
        buttons = ((reverse("admin:reviews_review_act", args=[review.pk, name]), review.version, words) for name, words in offered)
        seen = format_html('<input type="hidden" name="version-{}" value="{}">', review.pk, review.version)  # for those that are selected
        return seen + format_html_join(" ", '<button class="button" formaction="{}?version={}">{}</button>', buttons)

    # --- What staff do ---

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:pk>/<slug:name>/do/", self.admin_site.admin_view(self.act_on_one), name="reviews_review_act")
        return [act, *super().get_urls()]

    @method_decorator(require_POST)
    def act_on_one(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        if name not in DECISIONS or not request.user.has_perm(CHANGE):
            raise PermissionDenied
        review = self.get_object(request, str(pk))
        if review is None:
            raise Http404(gettext("There is no such review."))
        self._decide(request, name, [(review, _version(request.GET.get("version")))])
        return redirect("admin:reviews_review_changelist")

    @admin.action(description=_("Approve"), permissions=["change"])
    def approve_selected(self, request: HttpRequest, reviews: QuerySet[Review]) -> None:
        self._decide(request, "approve", _as_seen(request, reviews))

    @admin.action(description=_("Reject"), permissions=["change"])
    def reject_selected(self, request: HttpRequest, reviews: QuerySet[Review]) -> None:
        self._decide(request, "reject", _as_seen(request, reviews))

    def _decide(self, request: HttpRequest, name: str, reviews: Iterable[tuple[Review, int]]) -> None:
        """Decide about each, in its version. Shows the error of one that was changed or deleted in between, and goes on with the others."""
        at, done = now_as_stored(), 0
        for review, version in reviews:
            done += self._decide_one(request, name, review, at, version)
        if done:
            approved = ngettext("%(count)d review approved.", "%(count)d reviews approved.", done)
            rejected = ngettext("%(count)d review rejected.", "%(count)d reviews rejected.", done)
            messages.success(request, (approved if name == "approve" else rejected) % {"count": done})

    def _decide_one(self, request: HttpRequest, name: str, review: Review, at: datetime, version: int) -> bool:
        try:
            DECISIONS[name](review.pk, actor=request.user.get_username(), at=at, version=version)
        except ShopError as error:
            messages.error(request, str(error))
        except Review.DoesNotExist:
            messages.error(request, gettext("There is no such review."))
        else:
            self.log_change(request, review, gettext("Approve") if name == "approve" else gettext("Reject"))
            return True
        return False


def _as_seen(request: HttpRequest, reviews: QuerySet[Review]) -> Iterator[tuple[Review, int]]:
    """Yield each with the version that the list showed; with 0 for one of another page, if all of them were selected."""
    for review in reviews:
        yield review, _version(request.POST.get(f"version-{review.pk}"))


def _version(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text) else 0


def _badge(tone: str, words: str) -> SafeString:
    return format_html('<span class="badge badge--{}">{}</span>', tone, words)
