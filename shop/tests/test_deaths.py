"""A process dies between any two of its steps: sweeps, the next turn and who tries again make all as if it had not.

Where nothing is stored or sent for a while, as inside a transaction, the first and the last of these deaths stand for the others.
"""

import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from cryptons.db import in_transaction
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from cryptons.mail.tasks import sweep_mails
from payments.invoices import manual_review
from payments.invoices.assessment import stored_verdict
from payments.models import Invoice, Option, Payment
from payments.tasks import follow_network, settle_invoices, sweep_invoices
from payments.tests.factories import DUE
from shop.checkout.requoting import ask_for_rest, requote_order
from shop.models import Order, Product
from shop.orders.lifecycle import cancel_own_order, change_status
from shop.orders.state import state_of
from shop.tests.order_life import OrderLife
from tests.interrupting import dies_before

pytestmark = pytest.mark.django_db(transaction=True)

STRIDE = {"sqlite": 1, "postgresql": 1, "mongodb": 7}
"""MongoDB is slower, and what its steps change is not known: there every so many steps are tried."""


class Story(OrderLife):
    """One order over 100.00, of one of two kettles that are left, paid by two confirmations."""

    def __init__(self):
        super().__init__()
        self.token = uuid.uuid4()
        self.open_shop(2, stock=2)
        self.order = self.place("BTC", uuid.uuid4()).pk
        self.learn_options()
        self.look()

    def look(self):
        """What a person sees before they decide."""
        invoice = Invoice.objects.get(subject_id=self.order)
        self.invoice, self.version = invoice.pk, invoice.version

    def pays(self, sats=DUE, blocks=0):
        option = Option.objects.get(invoice=self.invoice, network="BTC")
        self.chain.pay((option.destination, sats))
        self.chain.mine(blocks)

    def works(self):
        self.all_workers_do_their_work(0, None)
        self.look()

    def runs_out(self, minutes=16):
        self.clock.forward(timedelta(minutes=minutes))
        sweep_invoices()
        self.look()

    def settles(self):
        settle_invoices([str(self.invoice)])

    def decides(self, act):
        in_transaction(lambda: act(self.invoice, version=self.version, actor="grace", reason="so be it", at=self.clock.now))

    def picture(self):
        """All that there is, but for names and times."""
        invoices = [
            (stored_verdict(each), each.override, each.exceptions, each.needs_decision, self.told(each.pk), each.options.count())
            for each in Invoice.objects.order_by("created_at", "id")
        ]
        orders = [(state_of(each), each.holds_stock, self.told(each.pk)) for each in Order.objects.order_by("created_at", "id")]
        payments = list(Payment.objects.order_by("reference").values_list("reference", "status", "late", "is_final"))
        mails = Counter(key.partition(":")[0] for key in Mail.objects.values_list("key", flat=True))
        return invoices, orders, payments, mails, Product.objects.get().stock

    def told(self, subject_id):
        return list(Event.objects.filter(subject_id=subject_id).order_by("seq").values_list("type", "actor"))


WORKERS = {
    "hears of money": (lambda story: story.pays(), lambda story: follow_network("BTC")),
    "hears of depth": (lambda story: (story.pays(), story.works(), story.chain.mine(2)), lambda story: follow_network("BTC")),
    "settles": (lambda story: (story.pays(blocks=2), follow_network("BTC")), Story.settles),
    "settles too much": (lambda story: (story.pays(2 * DUE, blocks=2), follow_network("BTC")), Story.settles),
    "hears of a reorg": (
        lambda story: (story.pays(blocks=2), story.works(), story.chain.drop(2, "gone")),
        lambda story: (follow_network("BTC"), story.settles()),
    ),
    "lets it expire": (lambda story: story.clock.forward(timedelta(minutes=16)), lambda story: sweep_invoices()),
    "lets a part expire": (
        lambda story: (story.pays(DUE // 2), story.works(), story.clock.forward(timedelta(minutes=16))),
        lambda story: sweep_invoices(),
    ),
    "takes late money": (lambda story: (story.runs_out(), story.pays(blocks=2), follow_network("BTC")), Story.settles),
    "refuses late money": (lambda story: (story.runs_out(90), story.pays(blocks=2), follow_network("BTC")), Story.settles),
    "sends mails": (lambda story: (story.pays(blocks=2), follow_network("BTC"), story.settles()), lambda story: sweep_mails()),
}
PEOPLE = {
    "places an order": (lambda story: None, lambda story: story.place("XRP", story.token)),
    "cancels an order": (lambda story: None, lambda story: cancel_own_order(story.order, at=story.clock.now)),
    "asks again": (lambda story: story.runs_out(), lambda story: requote_order(story.order, "XRP", at=story.clock.now)),
    "ships": (
        lambda story: (story.pays(blocks=2), story.works()),
        lambda story: change_status(story.order, "shipped", actor="grace", at=story.clock.now),
    ),
    "accepts": (
        lambda story: (story.pays(DUE // 2), story.works(), story.runs_out()),
        lambda story: story.decides(manual_review.mark_paid),
    ),
    "keeps": (lambda story: (story.pays(DUE // 2), story.works(), story.runs_out()), lambda story: story.decides(manual_review.dismiss)),
    "asks for the rest": (
        lambda story: (story.pays(DUE // 2), story.works(), story.runs_out()),
        lambda story: ask_for_rest(story.order, version=story.version, actor="grace", at=story.clock.now),
    ),
}


def run(before, act, *, dies_at, tries_again):
    """Returns the picture in the end and the steps of the process."""
    story = Story()
    try:
        before(story)
        was = story.everything()
        with dies_before(dies_at) as steps:
            act(story)
        if tries_again and story.everything() == was:
            act(story)
        story.everybody_recovers()
        return story.picture(), steps
    finally:
        story.forget()


@pytest.mark.parametrize(
    ("tries_again", "before", "act"),
    [pytest.param(False, *each, id=f"a worker {name}") for name, each in WORKERS.items()]
    + [pytest.param(True, *each, id=f"somebody {name}") for name, each in PEOPLE.items()],
)
def test_a_process_that_dies_between_any_two_steps_does_not_change_the_outcome(settings, tries_again, before, act):
    settings.STAFF_EMAIL = ["grace@example.com"]
    undisturbed, steps = run(before, act, dies_at=10_000, tries_again=tries_again)
    ends = {number - 1 for number in steps.different[1:]} | {steps.taken}
    sends_mails = act is WORKERS["sends mails"][1]  # the files of mails are no steps
    deaths = range(1, steps.taken + 1) if sends_mails else sorted(ends.union(steps.different))
    for number in deaths[:: STRIDE[connection.vendor]]:
        assert run(before, act, dies_at=number, tries_again=tries_again)[0] == undisturbed, f"died before step {number} of {steps.taken}"
    assert steps.taken >= 5
