"""The same facts in two orders, in other batches, some of them twice, with workers that settle now and then: one state."""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptons.db import in_transaction
from cryptons.events.models import Event
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment
from payments.networks.base import Fact
from payments.sync.facts import store_facts
from payments.tests.factories import DUE, EXPIRY, NOW, TIP, CursorFactory, InvoiceFactory, OptionFactory
from payments.tests.invoice_life import ENOUGH, RATES, SCALE
from tests.interrupting import dies_before
from tests.sequences import lives, seeded, settings_for

PARTS = 2
NEVER = 1_000
ALL_TOLD = EXPIRY + timedelta(hours=3)

payments = st.lists(
    st.tuples(
        st.sampled_from(["BTC", "BTC", "XRP", "BTC-LN"]),
        st.sampled_from([DUE // 2, DUE, DUE // 3, ENOUGH, ENOUGH - 1]),
        st.sampled_from([timedelta(minutes=minutes) for minutes in (-1, 0, 1, 60, 61)]),
        st.sampled_from(["mempool", "one deep", "deep", "gone", "spent"]),
    ),
    min_size=2,
    max_size=4,
)
"""Each one's network, worth in satoshis, when it was seen (counted from the expiry), and what became of it."""

telling = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", "settle", "settle much later", "die"]), st.integers(1, 20)),
    max_size=5,
)
"""Which payment is told next, perhaps again; what the worker does then, and before which step it dies if it does.

What is left is told at last, all at once.
"""


@pytest.fixture
def invoices(settings, transactional_db):
    settings.FIXED_RATES = dict(RATES)
    CursorFactory()


def opened(which):
    invoice = InvoiceFactory()
    Option.objects.bulk_create(
        OptionFactory.build(
            invoice=invoice,
            network=network,
            destination=f"{network}-{which}",
            due_base=DUE * SCALE[network],
            minor_per_coin=RATES[network.partition("-")[0]] * 100,
        )
        for network in SCALE
    )
    return invoice.pk


def fact(number, payment, which):
    network, sats, seen, fate = payment
    is_chain = network == "BTC"
    return Fact(
        reference=f"BTC-LN-{which}" if network == "BTC-LN" else f"{which}{number}:0",
        destination=f"{network}-{which}",
        amount_base=sats * SCALE[network],
        first_seen_at=EXPIRY + seen,
        height={"one deep": TIP, "deep": TIP - 3}.get(fate) if is_chain else None,
        is_present=not is_chain or fate not in ("gone", "spent"),
        is_conflicted=is_chain and fate == "spent",
        is_safe=not is_chain,
    )


def state_after(payments, telling, which):
    """Tell it to an invoice of its own. Lightning tells of a payment once."""
    invoice_id, now = opened(which), NOW
    facts = [(payment[0], fact(number, payment, which)) for number, payment in enumerate(payments)]
    for number, then, step in telling:
        network, told = facts[number % len(facts)]
        now = ALL_TOLD - timedelta(hours=1) if then == "settle much later" else now
        with dies_before(step if then == "die" else NEVER):
            in_transaction(partial(store_facts, network, [told]))
            if then:
                settle(invoice_id, at=now)
    for network in SCALE:
        in_transaction(partial(store_facts, network, [told for of, told in facts if of == network]))
    settle(invoice_id, at=ALL_TOLD)
    invoice = Invoice.objects.get(pk=invoice_id)
    booked = Payment.objects.filter(invoice=invoice).order_by("reference")
    return (
        (invoice.status, invoice.flags, invoice.paid_seen_minor, invoice.paid_safe_minor, invoice.is_mined),
        (invoice.exceptions, invoice.needs_decision, invoice.needs_settling),
        [(payment.reference.replace(which, "", 1), payment.amount_base, payment.status, payment.late == "accepted") for payment in booked],
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_facts_in_any_order_end_in_the_same_state(part, invoices):
    lived, count = [], lives("facts in two orders", parts=2 * PARTS)  # each plays two sequences: the facts in either order

    @given(payments, telling, telling)
    @settings_for(count)
    def told_in_two_orders_are_one(payments, one, other):
        only_one = {payment[0]: payment for payment in payments if payment[0] == "BTC-LN"}
        payments = [payment for payment in payments if payment[0] != "BTC-LN"] + list(only_one.values())
        try:
            assert state_after(payments, one, "x") == state_after(payments, other, "y")
            lived.append(payments)
        finally:
            for model in (Payment, Option, Invoice, Event):
                model.objects.all()._raw_delete(using="default")

    seeded(told_in_two_orders_are_one, part)()
    assert len(lived) >= count
