"""Reviews on pages of the shop, which does not know them."""

from typing import Any

from django import template
from django.urls import reverse

from reviews.models import Review
from reviews.reads import ON_PRODUCT_PAGE, read_first
from shop.models import Product

register = template.Library()


@register.inclusion_tag("reviews/_on_product_page.html")
def product_reviews(product: Product) -> dict[str, Any]:
    return {"product": product, "reviews": read_first(product), "has_more": product.rating_count > ON_PRODUCT_PAGE}


@register.inclusion_tag("reviews/_to_do.html", takes_context=True)
def reviews_to_do(context: dict[str, Any]) -> dict[str, Any]:
    """Count the reviews that wait, for staff who may decide about them."""
    may_decide = context["request"].user.has_perm("reviews.change_review")
    waiting = Review.objects.waiting().count() if may_decide else 0
    return {"waiting": waiting, "url": f"{reverse('admin:reviews_review_changelist')}?state=waiting"}
