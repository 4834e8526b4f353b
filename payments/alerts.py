"""What staff must be told: a row in their queue, and a mail to STAFF_EMAIL where one is set. Rows only, in the caller's transaction."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from cryptons.db import in_transaction
from cryptons.failure_isolation import sparing_others
from cryptons.mail.queueing import queue_mail
from payments.models import Alert, Invoice, Payout

EXCEPTIONS = {
    "late": "Money came after the time had run out.",
    "underpaid": "Only a part of the price was paid in time.",
    "overpaid": "More came than was asked for.",
    "reorged": "The chain took back a payment that had settled. Nothing ships until it settles again.",
    "double_spent": "The money was spent elsewhere before it was confirmed.",
}
FAILING_FOR = timedelta(minutes=10)
"""So long a node may be away before anybody is woken."""
MOST_FAILURES = 20
"""What is wrong with one may be wrong with thousands."""
CLOSED = "Money came although this was closed: it is to be sent back."


def alert(key: str, text: str, *, at: datetime) -> None:
    """Once for each key, whether somebody closed it since or not. `text` is a sentence or two that say what to do."""
    if Alert.objects.filter(key=key).exists():
        return
    row = Alert.objects.create(key=key, text=text, created_at=at)
    mail_staff(f"alert:{row.pk}", "Please look at this", text, path=reverse("admin:payments_alert_change", args=[row.pk]))


def sparing_and_telling(act: str, reference: object) -> AbstractContextManager[None]:
    """As sparing_others; staff are told too."""
    return sparing_others(act, reference, tell=lambda error: alert_of_failure(act, reference, error, at=timezone.now()))


def alert_of_failure(act: str, reference: object, error: Exception, *, at: datetime) -> None:
    """The shop failed at an act, by a fault of its own. In a transaction of its own; MOST_FAILURES of an act in a day, the log has all."""
    kind = type(error).__name__
    key = f"failure {act} {reference} {kind}"
    text = (
        f"The shop failed at {act}: {reference}. It met an error of its own ({kind}); its log says more. "
        "The others go on meanwhile, and this one is tried again and again."
    )

    def tell() -> None:
        told = Alert.objects.filter(key__startswith=f"failure {act} ", created_at__gt=at - timedelta(days=1))
        if told.count() < MOST_FAILURES:
            alert(key, text, at=at)

    in_transaction(tell)


def exception_words(invoice: Invoice) -> str:
    """Why a person should look at it; empty when nobody needs to."""
    if invoice.exceptions and invoice.status in (Invoice.Status.CANCELLED, Invoice.Status.INVALID):
        return CLOSED
    return " ".join(words for name, words in EXCEPTIONS.items() if name in invoice.exceptions)


def mail_exception(invoice: Invoice) -> None:
    """Once for each version of it, so once each time that it comes into the queue."""
    path = reverse("admin:payments_invoice_change", args=[invoice.pk])
    mail_staff(f"exception:{invoice.pk}:{invoice.version}", f"{invoice.label} waits for a decision", exception_words(invoice), path=path)


def mail_failing(network: str, *, since: datetime, error: str, at: datetime) -> None:
    """Once for each time that its node stays away; what is short, nobody need know."""
    if at - since < FAILING_FOR:
        return
    text = (
        f"{error} It has been so since {since:%Y-%m-%d %H:%M} UTC. The shop goes on without {network}; what was paid meanwhile is seen "
        "once the node is back, and counts as paid when it came."
    )
    mail_staff(f"failing:{network}:{since:%Y-%m-%dT%H:%M:%S}", f"{network} does not work", text, path=reverse("admin:payments_nodes"))


def mail_payout_trouble(payout: Payout) -> None:
    """Once when it failed, once when nobody knows whether it went."""
    if payout.status == Payout.Status.FAILED:
        text = f"A payout of {payout.amount_text} {payout.network} failed, and nothing was sent. {payout.error} Draft another one."
    elif payout.status == Payout.Status.UNKNOWN:
        text = (
            f"Whether a payout of {payout.amount_text} {payout.network} went out is not known yet. {payout.error} The shop goes on asking, "
            "and never pays it twice. Look at it when it stays so."
        )
    else:
        return
    path = reverse("admin:payments_payout_change", args=[payout.pk])
    mail_staff(f"payout:{payout.pk}:{payout.status}", f"A payout is {payout.get_status_display().lower()}", text, path=path)


def mail_staff(key: str, subject: str, text: str, *, path: str) -> None:
    """Once for each key. `path` is the admin's page about it."""
    if settings.STAFF_EMAIL:
        context = {"subject": subject, "body": text, "url": settings.PUBLIC_URL + path}
        queue_mail(key, to=settings.STAFF_EMAIL, template="payments/mail/staff", context=context)
