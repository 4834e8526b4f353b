"""What a person decides: by name and reason, about what they saw, and taken back where that is possible."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission

from accounts.tests.factories import StaffFactory, UserFactory
from cryptons.events.models import Event
from payments.alerts import alert
from payments.errors import AlertClosed, IllegalOverride, InvoiceMoved
from payments.invoices import manual_review
from payments.invoices.settlement import settle
from payments.models import Alert, Invoice, Payment
from payments.payouts.workflow import draft_payout, move_payout, set_destination, withdraw_payout
from payments.sync.facts import mark_dirty
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, OptionFactory, PaymentFactory, PayoutFactory

pytestmark = pytest.mark.django_db

LATER = EXPIRY + timedelta(hours=2)
REASON = {"actor": "grace", "reason": "she called", "at": LATER}


def partial_invoice(share=50):
    CursorFactory()
    payment = PaymentFactory(amount_base=DUE * share // 100, height=TIP - 1)
    settle(payment.invoice_id, at=EXPIRY)
    return Invoice.objects.get()


def state():
    invoice = Invoice.objects.get()
    return invoice.status, invoice.flags, invoice.needs_decision


def test_an_underpaid_invoice_accepted_as_paid_is_settled_and_leaves_the_queue():
    invoice = partial_invoice()
    assert state() == ("expired", {"underpaid"}, True)
    manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)
    assert state() == ("settled", {"manual"}, False)
    event = Event.objects.latest("seq")
    assert (event.type, event.actor, event.data["reason"]) == ("invoice.settled", "grace", "she called")


def test_accepting_late_money_above_the_price_leaves_the_excess_to_decide():
    CursorFactory()
    payment = PaymentFactory(amount_base=DUE * 2, first_seen_at=LATER, height=TIP - 1)
    settle(payment.invoice_id, at=LATER)
    invoice = Invoice.objects.get()
    manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)
    assert (state(), Invoice.objects.get().exceptions) == (("settled", {"manual", "late", "overpaid"}, True), {"overpaid"})


def test_accepting_a_double_spent_invoice_leaves_nothing_to_decide():
    CursorFactory()
    payment = PaymentFactory(is_present=False, is_conflicted=True)
    settle(payment.invoice_id, at=NOW)
    assert state() == ("new", {"double_spent"}, True)
    invoice = Invoice.objects.get()
    manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)
    assert (state()[0], state()[2]) == ("settled", False)


def test_money_that_vanishes_after_it_was_accepted_needs_a_decision():
    CursorFactory()
    payment = PaymentFactory(amount_base=DUE // 2)
    settle(payment.invoice_id, at=EXPIRY)
    invoice = Invoice.objects.get()
    manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)
    assert state() == ("settled", {"manual"}, False)
    Payment.objects.update(is_present=False, is_conflicted=True)
    settle(invoice.pk, at=LATER)
    assert state() == ("settled", {"manual", "double_spent"}, True)
    invoice.refresh_from_db()
    manual_review.dismiss(invoice.pk, version=invoice.version, **REASON)
    settle(invoice.pk, at=LATER)
    assert not state()[2]


def test_an_invoice_closed_as_invalid_needs_a_decision_while_it_has_money():
    invoice = partial_invoice()
    manual_review.close(invoice.pk, version=invoice.version, **REASON)
    assert (state(), Invoice.objects.get().exceptions) == (("invalid", {"manual", "late"}, True), {"late"})


def test_a_dismissed_invoice_comes_back_to_the_queue_when_it_changes():
    invoice = partial_invoice()

    manual_review.dismiss(invoice.pk, version=invoice.version, **REASON)
    settle(invoice.pk, at=LATER)

    assert state() == ("expired", {"underpaid"}, False)
    event = Event.objects.latest("seq")
    assert (event.type, event.seq, event.actor, event.data["reason"]) == (
        "invoice.dismissed",
        Invoice.objects.get().version,
        "grace",
        "she called",
    )

    PaymentFactory(option=invoice.options.get(), amount_base=DUE // 10, height=TIP - 1)
    settle(invoice.pk, at=LATER)
    assert state() == ("expired", {"underpaid"}, True)


def test_a_dismissed_invoice_can_be_reopened():
    invoice = partial_invoice()
    manual_review.dismiss(invoice.pk, version=invoice.version, **REASON)
    manual_review.reopen(invoice.pk, version=invoice.version + 1, actor="grace", reason="", at=LATER)
    invoice.refresh_from_db()
    assert (state()[2], invoice.exception_at, Event.objects.latest("seq").type) == (True, LATER, "invoice.reopened")


def test_an_invoice_without_exceptions_can_be_neither_dismissed_nor_reopened():
    invoice = OptionFactory().invoice
    with pytest.raises(IllegalOverride, match="Nothing waits"):
        manual_review.dismiss(invoice.pk, version=invoice.version, **REASON)
    with pytest.raises(IllegalOverride, match="nothing to decide"):
        manual_review.reopen(invoice.pk, version=invoice.version, **REASON)


@pytest.mark.parametrize(
    "act", [manual_review.mark_paid, manual_review.close, manual_review.dismiss, manual_review.reopen, manual_review.clear_override]
)
def test_a_decision_about_an_outdated_version_is_refused(act):
    invoice = partial_invoice()
    mark_dirty([invoice.pk])
    before = Invoice.objects.values().get()
    with pytest.raises(InvoiceMoved, match="Please check it again"):
        act(invoice.pk, version=invoice.version, **REASON)
    assert Invoice.objects.values().get() == before


@pytest.mark.parametrize("act", [manual_review.mark_paid, manual_review.close, manual_review.dismiss, manual_review.clear_override])
@pytest.mark.parametrize("missing", ["actor", "reason"])
def test_a_decision_needs_a_name_and_a_reason(act, missing):
    invoice = partial_invoice()
    with pytest.raises(IllegalOverride, match="a name and a reason"):
        act(invoice.pk, version=invoice.version, **{**REASON, missing: " "})
    assert state() == ("expired", {"underpaid"}, True)


@pytest.mark.parametrize("act", [manual_review.mark_paid, manual_review.close])
def test_clearing_a_decision_lets_the_facts_decide_again(act):
    invoice = partial_invoice()
    act(invoice.pk, version=invoice.version, **REASON)

    manual_review.clear_override(invoice.pk, version=invoice.version + 1, **REASON)

    assert state() == ("expired", {"underpaid"}, True)
    assert Invoice.objects.get().settled_at is None


def test_clearing_a_decision_keeps_the_reorged_flag_of_an_earlier_settlement():
    CursorFactory()
    payment = PaymentFactory(height=TIP - 1)
    settle(payment.invoice_id, at=NOW)
    payment.refresh_from_db()
    payment.height = None
    payment.save()
    settle(payment.invoice_id, at=NOW)
    invoice = Invoice.objects.get()
    assert state() == ("processing", {"reorged"}, True)
    manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)
    manual_review.clear_override(invoice.pk, version=invoice.version + 1, **REASON)
    assert state() == ("processing", {"reorged"}, True)


@pytest.mark.parametrize("mark", ["", "cancelled"])
def test_only_a_decision_of_staff_can_be_cleared(mark):
    invoice = OptionFactory(invoice__override=mark).invoice
    with pytest.raises(IllegalOverride, match="no decision of staff"):
        manual_review.clear_override(invoice.pk, version=invoice.version, **REASON)


@pytest.mark.parametrize(
    ("kind", "status", "allowed"),
    [("refund", "draft", False), ("late", "sent", False), ("late", "withdrawn", True), ("excess", "sent", True)],
)
def test_an_invoice_whose_money_is_being_refunded_cannot_be_accepted_as_paid(kind, status, allowed):
    invoice = partial_invoice()
    PayoutFactory(invoice=invoice, kind=kind, status=status)
    if allowed:
        manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)
        assert state()[0] == "settled"
        return
    with pytest.raises(IllegalOverride, match="being refunded"):
        manual_review.mark_paid(invoice.pk, version=invoice.version, **REASON)


def test_an_alert_can_be_closed_only_once_and_opened_again():
    alert("x", "Look.", at=NOW)
    pk = Alert.objects.get().pk
    manual_review.close_alert(pk, actor="grace", at=NOW)
    with pytest.raises(AlertClosed):
        manual_review.close_alert(pk, actor="ada", at=LATER)
    assert Alert.objects.values_list("closed_by", "closed_at").get() == ("grace", NOW)
    manual_review.open_alert(pk)
    assert Alert.objects.values_list("closed_by", "closed_at").get() == ("", None)


# --- The pages ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def grace(client):
    grace = StaffFactory(username="grace")
    client.force_login(grace)
    return grace


def path(invoice, name="accept", back=""):
    return f"/admin/payments/invoice/{invoice.pk}/decide/{name}/{back}"


def press(client, invoice, name="accept", *, back="", **fields):
    return client.post(path(invoice, name, back), {"version": invoice.version, "reason": "she called", **fields})


def test_the_decision_page_shows_the_amounts_and_the_consequence(client, grace):
    text = client.get(path(partial_invoice())).text
    for words in ("Only a part of the price was paid in time.", "$100.00", "$50.00", "0.00100000 BTC", "the buyer is told"):
        assert words in text
    assert state()[0] == "expired"


def test_the_decision_page_warns_when_money_is_not_confirmed_yet(client, grace):
    invoice = partial_invoice()
    words = "not confirmed yet"
    assert words not in client.get(path(invoice)).text
    Payment.objects.update(height=None)
    settle(invoice.pk, at=LATER)
    assert words in client.get(path(invoice)).text


def test_a_decision_on_the_page_is_recorded_and_can_be_undone(client, grace):
    invoice = partial_invoice()
    response = press(client, invoice)
    assert response.url == f"/admin/payments/invoice/{invoice.pk}/change/"
    assert state()[0] == "settled"
    page = client.get(response.url).text
    assert f'is accepted as paid. <a href="{path(invoice, "take-back")}">Undo</a>' in page
    assert "she called" in page
    invoice.refresh_from_db()
    press(client, invoice, "take-back")
    assert state()[0] == "expired"


def test_a_decision_returns_to_the_page_in_next(client, grace):
    assert press(client, partial_invoice(), "keep", back="?next=/admin/").url == "/admin/"


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_a_decision_does_not_redirect_to_another_site(client, grace, evil):
    invoice = partial_invoice()
    assert press(client, invoice, back=f"?next={evil}").url == f"/admin/payments/invoice/{invoice.pk}/change/"


def test_a_decision_on_the_page_without_a_reason_is_refused(client, grace):
    invoice = partial_invoice()
    assert press(client, invoice, reason=" ").status_code == 400
    assert state()[0] == "expired"


def test_putting_an_invoice_back_into_the_queue_needs_no_reason(client, grace):
    invoice = partial_invoice()
    press(client, invoice, "keep")
    invoice.refresh_from_db()
    assert press(client, invoice, "put-back", reason="").status_code == 302
    assert state()[2]


@pytest.mark.django_db(transaction=True)
def test_a_second_decision_shows_the_current_state_and_keeps_the_typed_reason(client, grace):
    invoice = partial_invoice()
    press(client, invoice, "close")
    response = press(client, invoice, "accept", reason="paid in cash")
    assert response.status_code == 409
    assert "This has changed since you opened it" in response.text
    assert "Invalid" in response.text
    assert 'value="paid in cash"' in response.text
    invoice.refresh_from_db()
    assert f'name="version" value="{invoice.version}"' in response.text


def test_an_unknown_decision_is_not_found(client, grace):
    assert press(client, partial_invoice(), "steal").status_code == 404


@pytest.mark.parametrize("name", ["accept", "close", "keep", "put-back", "take-back"])
def test_staff_without_permission_and_buyers_cannot_decide(client, name):
    invoice = partial_invoice()
    staff = StaffFactory(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_invoice", "change_order"]))
    client.force_login(staff)
    assert client.get(path(invoice, name)).status_code == 403
    assert press(client, invoice, name).status_code == 403
    client.force_login(UserFactory())
    assert press(client, invoice, name).status_code == 302
    assert state() == ("expired", {"underpaid"}, True)


# --- Money that goes back ----------------------------------------------------------------------------------------------------


def drafted(invoice, **more):
    return draft_payout(invoice.pk, kind="late", network="BTC", actor="grace", reason="as she wished", at=LATER, **more)


def test_drafting_a_refund_decides_about_the_invoice():
    drafted(partial_invoice())
    assert state() == ("expired", {"underpaid"}, False)
    event = Event.objects.get(type="invoice.sent_back")
    assert (event.actor, event.data["reason"]) == ("grace", "as she wished")


def test_an_invoice_needs_a_decision_again_when_its_payout_is_withdrawn():
    payout = drafted(partial_invoice())
    withdraw_payout(payout.pk, actor="grace", reason="a slip", at=LATER)
    assert (state()[2], Invoice.objects.get().exception_at) == (True, LATER)


def test_an_invoice_needs_a_decision_again_when_its_payout_fails():
    payout = drafted(partial_invoice())
    move_payout(payout, "failed", at=LATER, error="no route")
    assert state()[2]


def test_the_buyers_destination_does_not_decide_about_money_that_came_since():
    invoice = partial_invoice()
    payout = drafted(invoice)
    PaymentFactory(option=invoice.options.get(), amount_base=DUE // 10, height=TIP - 1)
    settle(invoice.pk, at=LATER)
    assert state()[2]
    set_destination(payout.pk, "bcrt1qback", actor="buyer", at=LATER)
    assert state()[2]


def test_money_being_refunded_does_not_complete_the_price_with_a_payment_found_later():
    """The rest was paid in time too, but the node told of it only after the first part was sent back."""
    invoice = partial_invoice()
    payout = drafted(invoice)
    PaymentFactory(option=invoice.options.get(), amount_base=DUE // 2, first_seen_at=NOW, height=TIP - 1)

    settle(invoice.pk, at=LATER)
    assert state() == ("expired", {"underpaid"}, True)

    withdraw_payout(payout.pk, actor="grace", reason="a slip", at=LATER)
    settle(invoice.pk, at=LATER)
    assert state() == ("settled", frozenset(), False)


def test_late_money_being_refunded_does_not_complete_the_price(settings):
    settings.FIXED_RATES = {"BTC": Decimal("50000.00")}
    CursorFactory()
    soon = EXPIRY + timedelta(minutes=10)
    payment = PaymentFactory(amount_base=DUE // 2, first_seen_at=soon, height=TIP - 1)
    settle(payment.invoice_id, at=soon)
    drafted(payment.invoice)
    PaymentFactory(option=payment.option, amount_base=DUE // 2, first_seen_at=soon, height=TIP - 1)

    settle(payment.invoice_id, at=soon)

    assert state() == ("expired", {"late", "underpaid"}, True)


def test_a_refund_of_a_settled_invoice_is_not_a_reorg():
    CursorFactory()
    payment = PaymentFactory(height=TIP - 1)
    settle(payment.invoice_id, at=NOW)
    draft_payout(payment.invoice_id, kind="refund", network="BTC", actor="grace", at=LATER)
    settle(payment.invoice_id, at=LATER)
    assert state() == ("settled", frozenset(), False)


def test_money_refunded_before_the_settlement_is_not_an_excess_afterwards():
    invoice = partial_invoice()
    drafted(invoice)
    PaymentFactory(option=invoice.options.get(), first_seen_at=NOW, height=TIP - 1)
    for minutes in (1, 2):
        settle(invoice.pk, at=LATER + timedelta(minutes=minutes))
    assert state() == ("settled", frozenset(), False)
