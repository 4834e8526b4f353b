"""Staff are told once, in their queue and by mail."""

import pytest
from django.utils.translation import override

from accounts.tests.factories import StaffFactory
from cryptons.mail.models import Mail
from payments.alerts import alert, mail_payout_waits
from payments.invoices.settlement import settle
from payments.models import Alert, Invoice
from payments.payouts.workflow import move_payout
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db


def test_an_alert_is_written_once_for_its_key():
    alert("ledger BTC 2026-11-01", "The node has 1 sat less than the ledger.", at=NOW)
    alert("ledger BTC 2026-11-01", "The node has 2 sat less than the ledger.", at=NOW)
    row = Alert.objects.get()
    assert (row.text, row.created_at, row.closed_at) == ("The node has 1 sat less than the ledger.", NOW, None)
    assert not Mail.objects.exists()


def test_a_closed_alert_stays_closed():
    alert("x", "Look.", at=NOW)
    Alert.objects.update(closed_at=NOW)
    alert("x", "Look.", at=NOW)
    assert Alert.objects.get().closed_at == NOW


def test_staff_get_a_mail_with_a_link_to_the_alert(client, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    alert("x", "The node has 1 sat < the ledger.\nPlease compare.", at=NOW)
    alert("x", "The node has 1 sat < the ledger.", at=NOW)

    mail = Mail.objects.get()
    link = f"{settings.PUBLIC_URL}/admin/payments/alert/{Alert.objects.get().pk}/change/"
    assert (mail.to, mail.subject) == ("grace@example.com", "New alert")
    assert mail.text == f"The node has 1 sat < the ledger.\nPlease compare.\n\n{link}\n"
    assert "1 sat &lt; the ledger.<br>Please compare." in mail.html
    assert f'href="{link}"' in mail.html
    client.force_login(StaffFactory())
    assert "Please compare." in client.get(link.removeprefix(settings.PUBLIC_URL)).text


def test_staff_get_one_mail_when_an_invoice_comes_into_the_queue(settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    CursorFactory()
    payment = PaymentFactory(amount_base=DUE // 2, height=TIP - 1)
    settle(payment.invoice_id, at=NOW)
    assert not Mail.objects.exists()

    settle(payment.invoice_id, at=EXPIRY)
    settle(payment.invoice_id, at=EXPIRY)

    mail = Mail.objects.get()
    assert mail.subject == "Order 7K3M9-2QFXA is waiting for a decision"
    assert mail.text.startswith("Only a part of the price was paid in time.\n\n")
    assert f"/admin/payments/invoice/{payment.invoice_id}/change/" in mail.text


def test_staff_get_another_mail_when_an_invoice_returns_to_the_queue_for_another_reason(settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    CursorFactory()
    payment = PaymentFactory(amount_base=DUE // 2, height=TIP - 1)
    settle(payment.invoice_id, at=EXPIRY)
    Invoice.objects.update(needs_decision=False)
    PaymentFactory(option=payment.option, amount_base=DUE, height=TIP - 1)

    settle(payment.invoice_id, at=EXPIRY)

    assert [mail.text.partition("\n")[0] for mail in Mail.objects.order_by("created_at")] == [
        "Only a part of the price was paid in time.",
        "More was received than was asked for.",
    ]


@pytest.mark.parametrize(("status", "told"), [("failed", "Draft another one."), ("unknown", "never pays twice"), ("sending", None)])
def test_staff_get_one_mail_when_a_payout_is_in_trouble(status, told, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    payout = PayoutFactory(status="sending")
    move_payout(payout, status, at=NOW, error="The wallet is empty.")
    move_payout(payout, status, at=NOW, error="The wallet is still empty.")

    texts = [mail.text for mail in Mail.objects.all()]
    assert len(texts) == (told is not None)
    assert all(told in text and "The wallet is empty." in text and f"/admin/payments/payout/{payout.pk}/change/" in text for text in texts)


@pytest.mark.parametrize(("status", "error"), [("failed", "The wallet is empty."), ("unknown", "No route.")])
def test_staff_get_mails_in_the_shops_language_when_a_german_request_causes_them(status, error, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    payout = PayoutFactory(status="sending")

    with override("de"):
        move_payout(payout, status, at=NOW, error=error)
        alert("x", "Look.", at=NOW)

    subjects = {"failed": "A payout has failed", "unknown": "The status of a payout is unknown"}
    assert [mail.subject for mail in Mail.objects.order_by("created_at")] == [subjects[status], "New alert"]
    assert not any("/de/" in mail.text for mail in Mail.objects.all())


@pytest.mark.parametrize(("language", "amount"), [("en", "0.00200000 BTC"), ("de", "0,00200000 BTC")])
def test_amounts_in_mails_to_staff_are_written_in_the_shops_language(language, amount, settings):
    settings.STAFF_EMAIL, settings.LANGUAGE_CODE = ["grace@example.com"], language

    with override("de" if language == "en" else "en"):
        move_payout(PayoutFactory(status="sending", amount_base=200_000), "failed", at=NOW, error="It is empty.")

    assert amount in Mail.objects.get().text


@pytest.mark.parametrize(
    ("status", "more", "told"),
    [
        ("draft", {}, "A payout is waiting for approval"),
        ("draft", {"approved_by": "ada"}, "A payout is waiting for a second person"),
        ("approved", {"psbt": "cHNidP8="}, "A payout is waiting for its signature"),
        ("draft", {"destination": ""}, None),
        ("approved", {}, None),
    ],
)
def test_staff_get_one_mail_when_a_payout_waits_for_them(status, more, told, settings):
    settings.STAFF_EMAIL = ["grace@example.com"]
    payout = PayoutFactory(status=status, **more)
    mail_payout_waits(payout)
    payout.version += 1
    mail_payout_waits(payout)
    assert [mail.subject for mail in Mail.objects.all()] == [told] * (told is not None)


def test_each_address_of_staff_gets_its_own_mail_of_the_kinds_that_are_chosen(settings):
    settings.STAFF_EMAIL, settings.STAFF_MAILS = ["grace@example.com", "ada@example.com"], ["alerts"]
    alert("x", "Look.", at=NOW)
    alert("x", "Look.", at=NOW)
    move_payout(PayoutFactory(status="sending"), "failed", at=NOW, error="It is empty.")
    assert sorted(Mail.objects.values_list("to", "subject")) == [("ada@example.com", "New alert"), ("grace@example.com", "New alert")]
