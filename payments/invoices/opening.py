"""Open, cancel and override an invoice. Node and rate are asked first, without a transaction; then the rows are written in the caller's."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cryptons.coins import BITCOIN, CARD, LIGHTNING
from cryptons.events.models import record
from cryptons.kept_sql import insert, new_row
from cryptons.money import Base, Minor, amount_due, least_payable, limit_to_minor
from payments.confirmations import confirmations_for
from payments.errors import IllegalOverride, InvoiceMoved, NodeRejected, NodeUnavailable
from payments.invoices.assessment import assess
from payments.invoices.settlement import Cause, apply_verdict
from payments.models import Invoice, Option, Payment
from payments.networks.base import DestinationRequest
from payments.networks.cursors import known_block
from payments.networks.registry import failing_networks, get_network, is_play_money, is_sandbox, offered_networks
from payments.rates.current import rate_for
from payments.subject import subject

logger = logging.getLogger(__name__)


MONITOR = timedelta(days=30)
"""How long after its expiry the destinations of an invoice are watched."""

PLAY_MONEY = gettext_lazy("This was paid with play money of the sandbox, and this shop takes real money now.")

MOST_USED_DESTINATIONS = 1000
"""How many used destinations in a row a wallet may return (a restored one starts from its first) before it is refused."""


@dataclass(frozen=True)
class Offer:
    """One way to pay, with its price and destination, not stored yet."""

    network: str
    destination: str
    payment_request: str
    due_base: Base
    minor_per_coin: Decimal
    rate_sources: dict[str, str]
    quoted_at: datetime
    expires_at: datetime
    wallet: str = ""
    """The wallet that issued the destination, where a node has several."""


def prepare_offers(
    network: str, price: Minor, *, label: str, at: datetime, is_rest: bool = False, checks_use: bool = True
) -> tuple[Offer, ...]:
    """Prepare the offers of one quote: with Bitcoin's chain also Lightning, if LND can receive this amount now.

    A rest (`is_rest`) that is too small to be sent is raised to the smallest amount that can. A caller that tries again after an
    IntegrityError need not look at first whether the destinations were used before (`checks_use`): hardly one ever was.

    Raises what `prepare_offer` raises.
    """
    offer = prepare_offer(network, price, label=label, at=at, is_rest=is_rest, checks_use=checks_use)
    if network != BITCOIN.code or LIGHTNING not in offered_networks() or LIGHTNING in failing_networks():
        return (offer,)
    try:
        return (offer, prepare_offer(LIGHTNING, price, label=label, at=at, is_rest=is_rest, checks_use=checks_use))
    except (NodeUnavailable, NodeRejected) as error:
        logger.info("an order without Lightning", extra={"network": LIGHTNING, "error": str(error)})
        return (offer,)


def prepare_offer(network: str, price: Minor, *, label: str, at: datetime, is_rest: bool = False, checks_use: bool = True) -> Offer:
    """Calculate the amount due and ask the node for a destination. Writes nothing: a crash afterwards leaves one unused address.

    Raises NodeUnavailable, NodeRejected, RateUnavailable, NetworkNotOffered.
    """
    node = get_network(network)
    rate = rate_for(network, at=at)
    due = amount_due(price, minor_per_coin=rate.minor_per_coin, network=network)
    due = max(due, least_payable(network)) if is_rest else due
    expires_at = at + timedelta(minutes=settings.INVOICE_MINUTES)
    request = DestinationRequest(
        label=label,
        amount_base=due,
        expires_at=expires_at,
        known_block="" if is_sandbox() else known_block(network),
        return_url=subject().return_url(label) if network == CARD else "",
    )
    for _attempt in range(MOST_USED_DESTINATIONS):
        destination = node.open_destination(request)
        if not checks_use or not Option.objects.filter(network=network, destination=destination.text).exists():
            break
    else:
        raise NodeUnavailable(_("The %(network)s wallet keeps returning addresses that were used before.") % {"network": network})
    return Offer(
        network=network,
        destination=destination.text,
        payment_request=destination.payment_request,
        wallet=destination.wallet,
        due_base=due,
        minor_per_coin=rate.minor_per_coin,
        rate_sources=rate.sources,
        quoted_at=rate.quoted_at,
        expires_at=expires_at,
    )


@dataclass(frozen=True)
class DraftInvoice:
    """An invoice with the options of its first quote, not stored yet."""

    invoice: Invoice
    options: Sequence[Option]


def draft_invoice(offers: Sequence[Offer], *, subject_id: UUID, label: str, price: Minor, at: datetime) -> DraftInvoice:
    invoice = new_row(
        Invoice,
        subject_id=subject_id,
        label=label,
        price_minor=price,
        currency=settings.CURRENCY,
        tolerance_percent=settings.PAYMENT_TOLERANCE_PERCENT,
        tolerance_cap_minor=limit_to_minor(settings.PAYMENT_TOLERANCE_CAP, settings.CURRENCY),
        confirmations_needed=confirmations_for(price, settings.CURRENCY),
        is_sandbox=is_sandbox(),
        created_at=at,
        expires_at=offers[0].expires_at,
        monitor_until=offers[0].expires_at + MONITOR,
    )
    return DraftInvoice(invoice, _options(invoice, offers, at=at))


def open_invoice(draft: DraftInvoice) -> Invoice:
    """Write invoice, options and event inside the caller's transaction. IntegrityError: a destination was taken since."""
    invoice, network = draft.invoice, draft.options[0].network
    insert([invoice])
    insert(draft.options)
    record("invoice.new", invoice.pk, seq=invoice.version, data={"status": invoice.status, "flags": [], "network": network})
    return invoice


def add_options(invoice: Invoice, offers: Iterable[Offer], *, at: datetime) -> None:
    """Write the options of one quote inside the caller's transaction."""
    insert(_options(invoice, offers, at=at))


def _options(invoice: Invoice, offers: Iterable[Offer], *, at: datetime) -> list[Option]:
    """Make the options of one quote. They share their time of creation, and the buyer sees them as one QR code."""
    return [
        new_row(
            Option,
            invoice=invoice,
            network=offer.network,
            destination=offer.destination,
            payment_request=offer.payment_request,
            wallet=offer.wallet,
            due_base=offer.due_base,
            minor_per_coin=offer.minor_per_coin,
            rate_sources=offer.rate_sources,
            quoted_at=offer.quoted_at,
            expires_at=offer.expires_at,
            created_at=at,
        )
        for offer in offers
    ]


def cancel_invoice(invoice_id: UUID, *, actor: str, reason: str, at: datetime, despite_money: bool = False) -> None:
    """Stop waiting for money, inside the caller's transaction.

    Raises IllegalOverride once there is enough, or once any money was seen unless it is to be sent back; InvoiceMoved on a lost race.
    """
    invoice = Invoice.objects.get(pk=invoice_id)
    if invoice.status == Invoice.Status.CANCELLED:
        return
    has_money = not despite_money and Payment.objects.filter(invoice=invoice, is_present=True).exists()
    if has_money or invoice.status not in (Invoice.Status.NEW, Invoice.Status.EXPIRED):
        raise IllegalOverride(_("A payment was already seen, so this can no longer be cancelled."))
    _mark(invoice, "cancelled", actor=actor, reason=reason, at=at)


def override_invoice(invoice_id: UUID, status: str, *, actor: str, reason: str, at: datetime, version: int | None = None) -> None:
    """Override the payments with the status `settled` or `invalid`, in the name of a person. In the caller's transaction.

    `version` is the one that the person saw. Raises IllegalOverride without a name and a reason, or when the status is set already;
    InvoiceMoved on a lost race.
    """
    if status not in ("settled", "invalid"):
        raise IllegalOverride(f"An invoice cannot be marked {status!r}.")
    check_person(actor, reason)
    invoice = read_invoice(invoice_id, version)
    if invoice.status == status:
        raise IllegalOverride(_("The status of this invoice is already “%(status)s”.") % {"status": invoice.get_status_display()})
    _mark(invoice, status, actor=actor, reason=reason, at=at)


def check_person(actor: str, reason: str) -> None:
    """Raise IllegalOverride when the name of the person or the reason is empty."""
    if not actor.strip() or not reason.strip():
        raise IllegalOverride(_("This needs a name and a reason."))


def read_invoice(invoice_id: UUID, version: int | None) -> Invoice:
    """Read the invoice for a decision. Raises IllegalOverride when it is of play money; InvoiceMoved when it has no longer `version`."""
    invoice = Invoice.objects.get(pk=invoice_id)
    if is_play_money(invoice):
        raise IllegalOverride(str(PLAY_MONEY))
    if version is not None and invoice.version != version:
        raise InvoiceMoved(_("This has changed since you opened it: by the network, the buyer or a colleague. Please check it again."))
    return invoice


def _mark(invoice: Invoice, mark: str, *, actor: str, reason: str, at: datetime) -> None:
    invoice.override = mark
    cause = Cause(actor, {"override": mark, "reason": reason}, resolved=frozenset({"double_spent"}))
    apply_verdict(assess(invoice, at), cause)
