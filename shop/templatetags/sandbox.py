from uuid import UUID

from django import template

from payments.networks.registry import is_sandbox
from payments.sync.sandbox_plays import PLAYS

register = template.Library()


@register.inclusion_tag("shop/_sandbox_panel.html", takes_context=True)
def sandbox_panel(context: template.Context, invoice_id: UUID) -> dict[str, object]:
    """Show the sandbox's buttons for one invoice; nothing in a shop that takes real money."""
    return {"plays": PLAYS if is_sandbox() else {}, "invoice_id": invoice_id, "csrf_token": context.get("csrf_token")}
