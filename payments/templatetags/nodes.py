from django import template

from payments.admin.nodes import last_turns

register = template.Library()


@register.inclusion_tag("payments/admin/_node_summary.html")
def node_summary() -> dict[str, object]:
    """How each network stood at the last turn of its follower."""
    return {"rows": last_turns()}
