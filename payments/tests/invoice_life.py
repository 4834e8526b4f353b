"""The life of invoices on the database while networks, workers, queue, clock and staff do what they like, and processes die.

Nothing here asks the program how it decides: the networks know what was paid, and sums are made again from what the rows say.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from unittest import mock
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Model
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from cryptons.db import in_transaction
from cryptons.events.models import Event
from payments.errors import PaymentError
from payments.invoices import manual_review
from payments.invoices.opening import cancel_invoice
from payments.invoices.requoting import Quote, prepare_quote, requote
from payments.models import Alert, Cursor, Invoice, Option, Payment
from payments.networks import registry
from payments.sync.follower import LEASE, refresh_invoice
from payments.tasks import follow_network, settle_invoices, sweep_invoices
from payments.tests.factories import DUE, InvoiceFactory, OptionFactory
from payments.tests.invoice_truths import InvoiceTruths
from payments.tests.scripted import Clock, ScriptedChain, ScriptedLedger
from tests.interrupting import Queue, dies_before, meets
from tests.rows import all_columns

ENOUGH = DUE - DUE // 200
"""The least that is enough, in satoshis: half a percent may be missing."""
SCALE = {"BTC": 1, "BTC-LN": 1000, "XRP": 1000}
"""What a satoshi is worth in each network's base unit, at RATES."""
RATES = {"BTC": Decimal("50000.00"), "XRP": Decimal("0.50")}
MANY = 100
"""Messages, after which the workers must have come to rest."""

Interruption = tuple[str, int]
"""Who comes between, and before which statement."""

INVOICES = {
    "a_follower_takes_its_turn": 5,
    "all_workers_do_their_work": 5,
    "a_worker_takes_a_message": 3,
    "the_sweep_comes": 3,
    "somebody_asks_the_nodes": 1,
    "staff_decide": 2,
    "a_buyer_asks_anew": 1,
    "two_buyers_get_one_address": 1,
    "the_queue_is_lost": 1,
    "a_buyer_pays": 4,
    "one_transaction_pays_several_times": 1,
    "money_comes_that_nobody_waits_for": 1,
    "blocks_are_found": 4,
    "a_reorg_drops_blocks": 4,
    "the_mempool_decides": 2,
    "nodes_tell_it_another_way": 1,
    "the_node_verifies_its_chain": 2,
    "the_wallet_is_changed": 2,
    "time_passes": 3,
    "the_rates_move": 1,
}
"""What may happen, and how often it does."""


def happenings(weights: dict[str, int]) -> Any:
    """One rule for all of it. With a rule for each, Hypothesis leaves most of them out of most sequences."""

    @rule(
        what=st.sampled_from([name for name, weight in weights.items() for _ in range(weight)]),
        number=st.integers(0, 95),
        interruption=st.tuples(
            st.sampled_from(["death", "death", "death", "none", "a settler", "a follower", "a slow turn", "staff", "a buyer"]),
            st.integers(1, 20),
        ),
    )
    def something_happens(self: Any, what: str, number: int, interruption: Interruption) -> None:
        getattr(self, what)(number, interruption)

    return something_happens


class InvoiceLife(InvoiceTruths):
    lived = 0
    """How many sequences were run to their end."""
    ignored: frozenset[str] = frozenset()
    is_patient: bool

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(timezone.now().replace(microsecond=0) + timedelta(hours=1))
        self.chain = ScriptedChain("BTC", self.clock)
        self.networks: dict[str, Any] = {
            "BTC": self.chain,
            "BTC-LN": ScriptedLedger("BTC-LN", self.clock),
            "XRP": ScriptedLedger("XRP", self.clock),
        }
        self.queue = Queue(ignored=self.ignored)
        self.options: dict[tuple[str, str], Option] = {}
        self.seqs: dict[UUID, int] = {}
        self.booked: set[tuple[str, str]] = set()
        self.patches = ExitStack()
        self.patches.enter_context(self.queue.used())
        self.patches.enter_context(mock.patch.object(timezone, "now", self.clock))
        self.patches.enter_context(mock.patch.object(settings, "SANDBOX", False))
        self.patches.enter_context(mock.patch.object(registry, "_real_networks", return_value=self.networks))
        settings.FIXED_RATES = dict(RATES)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # else it has failed already, or Hypothesis gave it up
                self.everybody_recovers()
                if self.is_patient:
                    self.nothing_moves_any_more()
                type(self).lived += 1
        finally:
            self.forget()

    def forget(self) -> None:
        self.patches.close()
        for model in self.models():
            model._default_manager.all()._raw_delete(using="default")

    def models(self) -> tuple[type[Model], ...]:
        return Payment, Option, Invoice, Event, Cursor, Alert

    @initialize(
        needed=st.sampled_from([1, 2, 6]),
        story=st.sampled_from(["settled", "paid", "seen", "late"]),
        number=st.integers(0, 95),
        is_patient=st.sampled_from([False, True, False]),
    )
    def invoices_are_opened(self, needed: int, story: str, number: int, is_patient: bool) -> None:
        """And it has begun already."""
        self.is_patient = is_patient
        self.open_invoices(needed)
        self.learn_options()
        if story == "late":
            self.clock.forward(timedelta(minutes=16))
        self.a_buyer_pays(number % 16 if story == "settled" else number, None)
        if story != "paid":
            self.chain.mine(needed if story == "settled" else 0)
            self.all_workers_do_their_work(number, None)

    def open_invoices(self, needed: int) -> None:
        opened, until = self.clock.now, self.clock.now + timedelta(minutes=15)
        times = {"created_at": opened, "expires_at": until, "monitor_until": until + timedelta(days=30)}
        invoices = Invoice.objects.bulk_create([InvoiceFactory.build(confirmations_needed=each, **times) for each in (needed, 2)])
        Option.objects.bulk_create(
            OptionFactory.build(
                invoice=invoice,
                network=network,
                destination=self.networks[network].open_destination(None).text,
                due_base=DUE * SCALE[network],
                minor_per_coin=RATES[network.partition("-")[0]] * 100,
                quoted_at=opened,
                created_at=opened,
            )
            for invoice, network in zip((*invoices, *invoices), ("BTC", "BTC", "BTC-LN", "XRP"), strict=True)
        )

    # --- What the networks, the clock and the market do ---------------------------------------------------------------------

    def some_option(self, number: int, network: str | None = None) -> Option:
        options = [option for option in self.options.values() if network in (None, option.network)]
        return options[number % len(options)]

    def a_buyer_pays(self, number: int, _: object) -> None:
        option = self.some_option(number)
        sats = (DUE, DUE // 2, ENOUGH, DUE // 3, ENOUGH - 1, DUE * 3 // 2)[number // 16]
        node, amount = self.networks[option.network], sats * SCALE[option.network]
        node.pay((option.destination, amount)) if node is self.chain else node.pay(option.destination, amount)

    def one_transaction_pays_several_times(self, number: int, _: object) -> None:
        """Two invoices, or one twice; and somebody else with them."""
        paid = [self.some_option(number + other, "BTC").destination for other in ((0, 0), (0, 1), (0, 1, 1))[number % 3]]
        self.chain.pay(("somebody-else", DUE), *((destination, DUE // 2) for destination in paid))

    def money_comes_that_nobody_waits_for(self, number: int, _: object) -> None:
        self.networks["XRP"].pay("xrp-account?dt=77", DUE)

    def blocks_are_found(self, number: int, _: object) -> None:
        self.chain.mine((1, 1, 2, 6)[number % 4])

    def a_reorg_drops_blocks(self, number: int, _: object) -> None:
        self.chain.drop(1 + number % 3, ("there", "there", "gone", "spent")[number // 25])

    def the_mempool_decides(self, number: int, _: object) -> None:
        waiting = [sent for sent in self.chain.transactions if sent.height is None]
        if waiting:
            self.chain.decide(waiting[number % len(waiting)], ("there", "gone", "spent", "spent")[number // 25])

    def nodes_tell_it_another_way(self, number: int, _: object) -> None:
        for node in self.networks.values():
            node.tells_backwards, node.tells_twice = bool(number % 2), bool(number // 50)

    def the_node_verifies_its_chain(self, number: int, _: object) -> None:
        """Or is done. While it does so, no payment comes or goes."""
        self.chain.is_verifying = bool(number % 2)
        if self.chain.is_verifying:
            self.nothing_comes_or_goes("")

    def the_wallet_is_changed(self, number: int, _: object) -> None:
        """Or set again. No payment to a wallet that the node no longer has comes or goes."""
        self.chain.wallet, self.chain.keeps_wallets = number % 2, number >= 48
        if not self.chain.keeps_wallets:
            self.nothing_comes_or_goes(str(1 - self.chain.wallet))

    def nothing_comes_or_goes(self, wallet: str) -> None:
        """Of the payments to this wallet, or of all."""
        there = {
            option.destination
            for option in self.options.values()
            if not wallet or str(self.chain.issuers.get(option.destination, 0)) == wallet
        }
        facts = Payment.objects.filter(network="BTC", option__destination__in=there).order_by("pk")
        before = list(facts.values_list("reference", "is_present", "is_conflicted", "height"))
        follow_network("BTC")
        assert list(facts.values_list("reference", "is_present", "is_conflicted", "height")) == before

    def time_passes(self, number: int, _: object) -> None:
        self.clock.forward(timedelta(seconds=(1, 31, 300, 900, 3600, 26 * 3600)[number % 6]))

    def the_rates_move(self, number: int, _: object) -> None:
        settings.FIXED_RATES = {coin: price * (100, 98, 97, 150)[number % 4] / 100 for coin, price in RATES.items()}

    # --- What the program does --------------------------------------------------------------------------------------------

    def busy(self) -> list[str]:
        """The networks of which there is something to hear, and the chain."""
        return [code for code, node in self.networks.items() if node is self.chain or node.facts]

    def everybody_follows(self) -> None:
        for network in self.busy():
            follow_network(network)

    def a_follower_takes_its_turn(self, number: int, interruption: Interruption) -> None:
        self.act(lambda: follow_network(self.busy()[number % len(self.busy())]), interruption)

    def a_worker_takes_a_message(self, number: int, interruption: Interruption) -> None:
        """Which may come again, to this worker or to another."""
        if not self.queue.messages:
            return
        message = self.queue.messages[number % len(self.queue.messages)]
        if number < 75:
            self.queue.messages.remove(message)
        task, arguments = message
        self.act(lambda: task(*arguments), interruption)

    def the_queue_is_lost(self, number: int, _: object) -> None:
        self.queue.clear()

    def the_sweep_comes(self, number: int, interruption: Interruption) -> None:
        self.act(sweep_invoices, interruption)

    def all_workers_do_their_work(self, number: int, _: object) -> None:
        self.everybody_follows()
        for _ in range(MANY):
            if self.queue.messages:
                task, arguments = self.queue.messages.pop(0)
                task(*arguments)
        assert not self.queue.messages
        self.check()

    def somebody_asks_the_nodes(self, number: int, interruption: Interruption) -> None:
        self.act(lambda: refresh_invoice(self.some_option(number).invoice_id, at=self.clock.now), interruption)

    def staff_decide(self, number: int, interruption: Interruption) -> None:
        self.act(lambda: self.decide(number), interruption)

    def decide(self, number: int) -> None:
        act = ("mark_paid", "close", "dismiss", "reopen", "clear_override", "cancel")[number % 6]
        invoice, at = Invoice.objects.get(pk=self.some_option(number).invoice_id), self.clock.now
        who: dict[str, Any] = {"actor": "" if number > 85 else "grace", "reason": "so be it", "at": at}
        if act == "cancel":
            in_transaction(lambda: cancel_invoice(invoice.pk, **who))
        else:
            in_transaction(lambda: getattr(manual_review, act)(invoice.pk, version=invoice.version, **who))

    def a_buyer_asks_anew(self, number: int, interruption: Interruption) -> None:
        self.act(lambda: self.ask_anew(number), interruption)

    def ask_anew(self, number: int) -> None:
        quote = prepare_quote(self.some_option(number).invoice_id, ("BTC", "XRP")[number // 48], at=self.clock.now)
        in_transaction(lambda: requote(quote, at=self.clock.now))

    def two_buyers_get_one_address(self, number: int, _: object) -> None:
        """From a node that forgets what it gave away. Who comes second is refused."""
        quotes: list[Quote] = []
        for invoice_id in {option.invoice_id for option in self.options.values()}:
            self.chain.is_forgetful = True
            self.attempt(partial(self.ask_for_quote, invoice_id, quotes))
        for quote in quotes:
            self.attempt(partial(in_transaction, partial(requote, quote, at=self.clock.now)))
        self.check()

    def ask_for_quote(self, invoice_id: UUID, quotes: list[Quote]) -> None:
        quotes.append(prepare_quote(invoice_id, "BTC", at=self.clock.now))

    something_happens = happenings(INVOICES)

    def act(self, do: Callable[[], object], interruption: Interruption) -> None:
        kind, step = interruption
        others: dict[str, Callable[[], object]] = {
            "a settler": lambda: settle_invoices([str(option.invoice_id) for option in self.options.values()]),
            "a follower": lambda: follow_network("BTC"),
            "a slow turn": self.another_follower_takes_over,
            "staff": lambda: self.attempt(lambda: self.decide(step)),
            "a buyer": lambda: self.attempt(lambda: self.ask_anew(step)),
        }
        if kind == "none":
            self.attempt(do)
        elif kind == "death":
            with dies_before(step):
                self.attempt(do)
        else:
            with meets(step, others[kind]):
                self.attempt(do)
        self.check()

    def another_follower_takes_over(self) -> None:
        self.clock.forward(LEASE)
        follow_network("BTC")

    def attempt(self, do: Callable[[], object]) -> bool:
        try:
            do()
        except self.refusals():
            return False
        return True

    def refusals(self) -> tuple[type[Exception], ...]:
        return PaymentError, IntegrityError

    # --- When all is quiet ---------------------------------------------------------------------------------------------------

    def everybody_recovers(self) -> None:
        """Only the followers and the sweeps: no message arrives. Twice, where a node learns only later what became of money."""
        self.chain.is_verifying, self.chain.wallet, self.chain.keeps_wallets = False, 0, True
        for _ in range(1 + any(sent.fate == "spent" for sent in self.chain.transactions)):
            self.clock.forward(LEASE + timedelta(seconds=1))
            self.everybody_follows()
            self.sweep()
            self.queue.clear()
        self.check()
        self.what_is_stored_is_the_truth()

    def sweep(self) -> None:
        sweep_invoices()

    def nothing_moves_any_more(self) -> None:
        """I2: the same told again to a program at rest."""
        before = self.everything()
        self.everybody_follows()
        self.sweep()
        assert self.everything() == before

    def everything(self) -> list[list[dict[str, Any]]]:
        models: tuple[type[Model], ...] = (Invoice, Payment, Event)
        return [all_columns(model) for model in models]
