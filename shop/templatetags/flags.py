from django import template

from payments.admin.base import flag_words

register = template.Library()


@register.filter
def flag_label(flag: str) -> str:
    """Name an invoice's flag or exception as staff read it: `double_spent` is `double spent`."""
    return flag_words([flag])
