"""What must be true of invoices and payments after each step of their life, and when all is quiet."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from hypothesis.stateful import RuleBasedStateMachine

from payments.confirmations import final_depth
from payments.invoices.assessment import received_as, stored_verdict, terms_of
from payments.invoices.evaluation import evaluate
from payments.invoices.staff_review import exceptions
from payments.models import Alert, Invoice, Option, Payment
from payments.networks.base import Fact
from payments.sync.follower import LOOK_AGAIN
from payments.tests.replaying import replay
from payments.tests.scripted import Clock, ScriptedChain, Transaction
from payments.tests.stored_rows import ENOUGH_MINOR, StoredRows
from tests.rows import all_rows

GRACE = timedelta(minutes=60)
HOLD = timedelta(minutes=120)


class InvoiceTruths(RuleBasedStateMachine):
    """The networks know what was paid, and sums are made again from what the rows say."""

    clock: Clock
    chain: ScriptedChain
    networks: dict[str, Any]
    options: dict[tuple[str, str], Option]
    seqs: dict[UUID, int]
    booked: set[tuple[str, str]]

    def learn_options(self) -> None:
        """I7: each destination is one option's, and stays so."""
        found = sorted(all_rows(Option), key=lambda option: (option.created_at, option.pk))
        options = {(option.network, option.destination): option for option in found}
        assert len(options) == len(found)
        assert all(options[key].pk == option.pk for key, option in self.options.items())
        self.options = options

    # --- What must be true after each step --------------------------------------------------------------------------------

    def check(self) -> StoredRows:
        """Return what was read for it."""
        self.learn_options()
        stored = StoredRows(self.options)
        self.each_payment_is_booked_once_where_it_belongs(stored)
        for invoice in stored.invoices:
            self.the_log_tells_its_state(invoice, stored)
            self.what_is_out_of_line_will_be_found(invoice, stored)
            self.what_settled_has_its_reason(invoice, stored)
        return stored

    def each_payment_is_booked_once_where_it_belongs(self, stored: StoredRows) -> None:
        """I1, I7: by what the networks say was paid, and to whom."""
        truth = self.truth()
        assert len(stored.by_reference) == len(stored.payments)
        for (network, reference), payment in stored.by_reference.items():
            fact = truth[network, reference]
            owner = self.options[network, fact.destination]
            assert (payment.option_id, payment.invoice_id) == (owner.pk, owner.invoice_id)
            assert (payment.amount_base, payment.first_seen_at) == (fact.amount_base, fact.first_seen_at)
        assert stored.by_reference.keys() >= self.booked
        self.booked = set(stored.by_reference)
        alerts = self.unmatched_alerts() if self.networks["XRP"].facts else set()
        assert {f"unclaimed XRP {reference}" for network, reference in truth if not self.is_ours(truth[network, reference])} >= alerts

    def unmatched_alerts(self) -> set[str]:
        return {alert.key for alert in all_rows(Alert) if not alert.key.startswith("wallet-replaced ")}

    def is_ours(self, fact: Fact) -> bool:
        return any(destination == fact.destination for _, destination in self.options)

    def truth(self) -> dict[tuple[str, str], Fact]:
        return {(code, reference): fact for code, node in self.networks.items() for reference, fact in node.truth().items()}

    def the_log_tells_its_state(self, invoice: Invoice, stored: StoredRows) -> None:
        """I4, I8."""
        told = replay(stored.events[invoice.pk])
        payments = stored.of[invoice.pk]
        assert (told.status, told.flags, told.override) == (invoice.status, invoice.flags, invoice.override)
        assert (told.paid_seen_minor, told.paid_safe_minor) == (invoice.paid_seen_minor, invoice.paid_safe_minor)
        assert told.to_decide == (invoice.exceptions if invoice.needs_decision else frozenset())
        assert {p.reference: told.statuses.get(p.reference, "seen") for p in payments} == {p.reference: p.status for p in payments}
        assert told.accepted == {p.reference for p in payments if p.late in ("accepted", "slow")}

    def what_is_out_of_line_will_be_found(self, invoice: Invoice, stored: StoredRows) -> None:
        """I9: by the sweep (touched, overdue) or by the next turn of a follower (deeper), no matter which message was lost."""
        statuses = {payment: stored.standing(payment, invoice) for payment in stored.of[invoice.pk]}
        verdict = evaluate(terms_of(invoice), [received_as(payment, status) for payment, status in statuses.items()], at=self.clock.now)
        in_line = verdict == stored_verdict(invoice) and all(payment.status == status for payment, status in statuses.items())
        overdue = invoice.status == "new" and self.clock.now >= invoice.expires_at
        deeper = any(p.height is not None and p.is_present and p.status != status for p, status in statuses.items())
        assert in_line or invoice.needs_settling or overdue or deeper

    def what_settled_has_its_reason(self, invoice: Invoice, stored: StoredRows) -> None:
        """I5, of each invoice that an event of this step calls settled."""
        news = [event for event in stored.events[invoice.pk] if event.seq > self.seqs.get(invoice.pk, 0)]
        self.seqs[invoice.pk] = max((event.seq for event in stored.events[invoice.pk]), default=0)
        for event in news:
            taken = [payment for payment in stored.of[invoice.pk] if payment.reference in event.data.get("acceptedLate", ())]
            self.late_money_was_rightly_taken(taken, by_itself="quotes" not in event.data)
        if invoice.override and news:
            by = next(event for event in reversed(stored.events[invoice.pk]) if event.data.get("override"))
            assert (by.actor and by.data["reason"]) or invoice.override == "cancelled"
        if news and invoice.status == "settled" and not invoice.override and not invoice.needs_settling:
            assert stored.minor(invoice, safe=True, counted=True) >= ENOUGH_MINOR

    def late_money_was_rightly_taken(self, payments: Iterable[Payment], *, by_itself: bool) -> None:
        """I5: soon enough and worth enough, at its quote's rate; or because its buyer asked again, at the rate of now."""
        for payment in payments:
            rate = settings.FIXED_RATES[payment.network.partition("-")[0]] * 100
            if by_itself:
                assert payment.first_seen_at <= payment.option.expires_at + GRACE or payment.minor_per_coin
                assert payment.minor_per_coin is None or payment.is_slow
                assert rate >= (payment.minor_per_coin or payment.option.minor_per_coin) * 98 / 100
            else:
                assert payment.minor_per_coin == rate

    # --- What must be true when all is quiet ------------------------------------------------------------------------------

    def what_is_stored_is_the_truth(self) -> None:
        """I2, I3, I9: no matter what was told, how often and in which order, and who died in between."""
        stored = StoredRows(self.options)
        truth = self.truth()
        assert stored.tips["BTC"] == self.chain.tip
        present = {key for key, fact in truth.items() if fact.is_present and self.is_ours(fact)}
        assert stored.by_reference.keys() >= present
        for key, payment in stored.by_reference.items():
            invoice = stored.invoice[payment.invoice_id]
            if key[0] == "BTC" and payment.is_final:
                assert self.transaction(payment).deepest >= final_depth(invoice.confirmations_needed)
            else:
                self.it_is_as_the_network_says(payment, truth[key])
            assert payment.status == stored.standing(payment, invoice)
            self.it_holds_rate_and_stock_no_longer_than_it_may(payment)
        for invoice in stored.invoices:
            received = [received_as(payment, payment.status) for payment in stored.of[invoice.pk]]
            verdict = evaluate(terms_of(invoice), received, at=self.clock.now)
            assert (stored_verdict(invoice), invoice.exceptions, invoice.needs_settling) == (verdict, exceptions(verdict), False)
            assert invoice.status == stored.status(invoice, self.clock.now)
            assert invoice.paid_seen_minor == int(stored.minor(invoice))
            assert invoice.paid_safe_minor == int(stored.minor(invoice, safe=True))
        unmatched = {
            f"unclaimed XRP {reference}" for (network, reference), fact in truth.items() if network == "XRP" and not self.is_ours(fact)
        }
        assert self.unmatched_alerts() == unmatched

    def it_holds_rate_and_stock_no_longer_than_it_may(self, payment: Payment) -> None:
        hold = max(payment.first_seen_at + HOLD, payment.option.expires_at)
        if payment.network != "BTC":
            assert not payment.is_slow
        elif payment.is_present and payment.height is None and self.transaction(payment).deepest == 0:
            assert payment.is_slow == (self.clock.now >= hold)

    def transaction(self, payment: Payment) -> Transaction:
        return next(sent for sent in self.chain.transactions if sent.txid == payment.txid)

    def it_is_as_the_network_says(self, payment: Payment, fact: Fact) -> None:
        assert (payment.height, payment.block_hash, payment.is_present) == (fact.height, fact.block_hash, fact.is_present)
        if fact.is_conflicted:
            went_at = self.transaction(payment).went_at
            assert went_at is not None
            if self.clock.now - went_at > LOOK_AGAIN:
                return
        assert payment.is_conflicted == fact.is_conflicted
