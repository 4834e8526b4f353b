from django import template

from payments.admin.nodes import last_turns

register = template.Library()


@register.inclusion_tag("payments/admin/_node_summary.html")
def node_summary() -> dict[str, object]:
    """Return the state of each network at its follower's last poll."""
    return {"rows": last_turns()}
