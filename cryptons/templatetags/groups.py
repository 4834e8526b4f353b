from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def in_groups(text: str, size: int = 4) -> SafeString:
    """Show text in groups that only style separates: a long address is easy to compare, and is copied without spaces."""
    parts = (text[start : start + size] for start in range(0, len(text), size))
    return format_html_join("", '<span class="group">{}</span>', ((part,) for part in parts))
