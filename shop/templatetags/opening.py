"""The steps before the shop can open, on the admin's home page until they are done."""

from typing import Any

from django import template

from shop.opening import PERMISSION, opening_steps

register = template.Library()


@register.inclusion_tag("shop/admin/_opening.html", takes_context=True)
def opening(context: dict[str, Any]) -> dict[str, int]:
    if not context["request"].user.has_perm(PERMISSION):
        return {"open": 0}
    return {"open": sum(not step.is_done for step in opening_steps())}
