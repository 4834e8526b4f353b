"""Tell staff what needs their attention: by a row in their queue, and by an email to STAFF_EMAIL if it is set.

Only rows are written, in the caller's transaction. Emails are in the shop's language, not in that of the request.
"""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from cryptons.db import in_transaction
from cryptons.failure_isolation import isolate
from cryptons.formats import network_amount, short_moment
from cryptons.mail.staff import mail_staff
from payments.models import Alert, Invoice, Payout

EXCEPTIONS = {
    "late": _("A payment was received after the invoice had expired."),
    "slow": _(
        "The payment was not confirmed in time, so its price and stock are no longer reserved. The shop decides automatically when it "
        "confirms: wait, unless the buyer asks for something else."
    ),
    "underpaid": _("Only a part of the price was paid in time."),
    "overpaid": _("More was received than was asked for."),
    "reorged": _("A payment that had settled was taken back, by a reorg or by a bank. Do not ship until it settles again."),
    "double_spent": _("The payment was double spent before it was confirmed."),
}
FAILING_FOR = timedelta(minutes=10)
"""How long a node may be away before staff get an email."""
MOST_FAILURES = 20
"""Alerts about failures of one kind in a day: what is wrong with one row may be wrong with thousands."""
CLOSED = _("Money was received although this was closed: it must be refunded.")


def alert(key: str, text: str, *, at: datetime) -> None:
    """Alert staff, once for each key even if somebody has closed the alert. `text` is a sentence or two that say what to do."""
    if Alert.objects.filter(key=key).exists():
        return
    row = Alert.objects.create(key=key, text=text, created_at=at)
    with override(settings.LANGUAGE_CODE):
        subject, path = gettext("New alert"), reverse("admin:payments_alert_change", args=[row.pk])
    mail_staff("alerts", f"alert:{row.pk}", subject, text, path=path)


def isolate_and_alert(act: str, reference: object) -> AbstractContextManager[None]:
    """Isolate the failure of one row as isolate does, and alert staff. Mark `act` with gettext_noop: its translation is in the alert."""
    return isolate(act, reference, on_failure=lambda error: alert_of_failure(act, reference, error, at=timezone.now()))


def alert_of_failure(act: str, reference: object, error: Exception, *, at: datetime) -> None:
    """Alert staff of an internal error, in a transaction of its own; at most MOST_FAILURES of one kind in a day."""
    kind = type(error).__name__
    key = f"failure {act} {reference} {kind}"
    with override(settings.LANGUAGE_CODE):
        text = gettext(
            "Internal error (%(error)s) while %(act)s: %(reference)s. See the log. The shop keeps trying, and everything else goes on."
        ) % {"error": kind, "act": gettext(act), "reference": reference}

    def tell() -> None:
        recent = Alert.objects.filter(key__startswith=f"failure {act} ", created_at__gt=at - timedelta(days=1))
        if recent.count() < MOST_FAILURES:
            alert(key, text, at=at)

    in_transaction(tell)


def exception_words(invoice: Invoice) -> str:
    """Say why staff should look at the invoice; empty when there is no reason."""
    if invoice.exceptions and invoice.status in (Invoice.Status.CANCELLED, Invoice.Status.INVALID):
        return str(CLOSED)
    return " ".join(str(words) for name, words in EXCEPTIONS.items() if name in invoice.exceptions)


def mail_exception(invoice: Invoice) -> None:
    """Email staff about an invoice that came into the queue, once for each version of it."""
    with override(settings.LANGUAGE_CODE):
        path = reverse("admin:payments_invoice_change", args=[invoice.pk])
        subject = gettext("Order %(number)s is waiting for a decision") % {"number": invoice.order_number}
        text = exception_words(invoice)
    mail_staff("payments", f"exception:{invoice.pk}:{invoice.version}", subject, text, path=path)


def mail_failing(network: str, *, since: datetime, error: str, at: datetime) -> None:
    """Email staff about a node that has been away for FAILING_FOR, once for each time."""
    if at - since < FAILING_FOR:
        return
    with override(settings.LANGUAGE_CODE):
        subject = gettext("%(network)s does not work") % {"network": network}
        text = gettext(
            "%(error)s This has been the case since %(time)s. The shop goes on without %(network)s. Payments are detected when the node is "
            "back, and count from the time at which they were made."
        ) % {"error": error, "time": short_moment(since), "network": network}
        path = reverse("admin:payments_nodes")
    mail_staff("outages", f"failing:{network}:{since:%Y-%m-%dT%H:%M:%S}", subject, text, path=path)


def mail_payout_trouble(payout: Payout) -> None:
    """Email staff once when a payout failed, once when it is not known whether it was sent, and when it is blocked."""
    with override(settings.LANGUAGE_CODE):
        words = {"amount": network_amount(payout.amount_base, payout.network), "error": payout.error}
        if payout.blocked_by:
            subject = gettext("A payout has stopped")
            text = gettext("A payout of %(amount)s is not sent. %(error)s") % words
        elif payout.status == Payout.Status.FAILED:
            subject = gettext("A payout has failed")
            text = gettext("A payout of %(amount)s failed, and nothing was sent. %(error)s Draft another one.") % words
        elif payout.status == Payout.Status.UNKNOWN:
            subject = gettext("The status of a payout is unknown")
            text = (
                gettext(
                    "It is not known yet whether a payout of %(amount)s was sent. %(error)s The shop keeps asking the node, and never pays "
                    "twice. Check the payout if its status does not change."
                )
                % words
            )
        else:
            return
        path = reverse("admin:payments_payout_change", args=[payout.pk])
    occasion = payout.status
    if payout.blocked_by == Payout.BlockedBy.FEE:
        occasion = f"fee:{payout.fee_allowed_base}"  # it is tried again and again with the same limit
    elif payout.blocked_by:
        occasion = f"{payout.blocked_by}:{payout.version}"
    mail_staff("payouts", f"payout:{payout.pk}:{occasion}", subject, text, path=path)


def mail_payout_waits(payout: Payout) -> None:
    """Email staff once when a payout waits for approval, once for a second person, and once for a signature."""
    with override(settings.LANGUAGE_CODE):
        words = {"amount": network_amount(payout.amount_base, payout.network), "name": payout.approved_by}
        if payout.status == Payout.Status.DRAFT and payout.destination and not payout.approved_by:
            step, subject = "approval", gettext("A payout is waiting for approval")
            text = gettext("A payout of %(amount)s is sent as soon as staff approve it.") % words
        elif payout.status == Payout.Status.DRAFT and payout.approved_by:
            step, subject = "second", gettext("A payout is waiting for a second person")
            text = gettext("%(name)s has approved a payout of %(amount)s. It also needs the approval of a second person.") % words
        elif payout.status == Payout.Status.APPROVED and payout.psbt:
            step, subject = "signature", gettext("A payout is waiting for its signature")
            text = gettext("Download the transaction of a payout of %(amount)s from its page, sign it, and upload it there.") % words
        else:
            return
        path = reverse("admin:payments_payout_change", args=[payout.pk])
    mail_staff("payouts", f"payout:{payout.pk}:waits:{step}", subject, text, path=path)
