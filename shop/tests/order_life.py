"""The life of orders: what payments.tests.invoice_life has, with a shop on top. Buyers, staff and mails; and stock that never gets lost."""

import uuid
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Model

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from cryptons.mail.sending import HOLD
from cryptons.mail.tasks import sweep_mails
from payments.models import Invoice, Payment
from payments.tests.invoice_life import INVOICES, Interruption, InvoiceLife, happenings
from payments.tests.stored_rows import StoredRows
from shop.checkout.placing import order_products
from shop.checkout.requoting import ask_for_rest, requote_order
from shop.errors import ShopError
from shop.models import Category, Order, OrderLine, Product
from shop.orders.lifecycle import cancel_own_order, change_status, release_hold
from shop.orders.payment import payment_status
from shop.orders.state import state_of
from shop.tests.factories import ADDRESS, ProductFactory
from tests.rows import all_columns, all_rows

ORDERS = {
    **INVOICES,
    "somebody_orders": 2,
    "the_buyer_cancels": 1,
    "staff_move_it": 2,
    "staff_release_it": 1,
    "the_stock_changes": 1,
    "mails_are_sent": 2,
}
MOST_ORDERS = 3


class OrderLife(InvoiceLife):
    ignored = frozenset({"shop.tasks.index_products"})

    def models(self) -> tuple[type[Model], ...]:
        return *super().models(), Mail, OrderLine, Order, Product, Category

    def open_shop(self, needed: int, *, stock: int) -> None:
        settings.CONFIRMATION_TIERS = [(Decimal("Infinity"), needed)]
        self.supply = stock
        self.product = ProductFactory.create(stock=stock, price_minor=10_000)

    def open_invoices(self, needed: int) -> None:
        self.open_shop(needed, stock=3)
        self.place("BTC", uuid.uuid4())
        self.place("XRP", uuid.uuid4())
        self.queue.clear()

    def place(self, network: str, token: UUID) -> Order:
        buyer: dict[str, Any] = {"email": "ada@example.com", "user": None, "address": ADDRESS}
        return order_products({self.product.pk: 1}, network=network, at=self.clock.now, token=token, **buyer).order

    def refusals(self) -> tuple[type[Exception], ...]:
        return *super().refusals(), ShopError

    def some_order(self, number: int) -> UUID:
        orders = sorted((order.created_at, order.pk) for order in all_rows(Order))
        return orders[number % len(orders)][1]

    # --- What happens in a shop ---------------------------------------------------------------------------------------------

    def somebody_orders(self, number: int, interruption: Interruption) -> None:
        """Whose button does nothing, it seems; so it is pressed again."""
        if Order.objects.count() >= MOST_ORDERS:
            return
        token, network = uuid.uuid4(), ("BTC", "XRP")[number % 2]
        self.act(lambda: self.place(network, token), interruption)
        had_stock = Product.objects.get().stock
        placed = Order.objects.filter(checkout_token=token).count()
        is_offered = network != "BTC" or not self.chain.is_verifying
        self.attempt(lambda: self.place(network, token))
        assert Order.objects.filter(checkout_token=token).count() == (1 if placed or (had_stock and is_offered) else 0)
        self.check()

    def the_buyer_cancels(self, number: int, interruption: Interruption) -> None:
        self.act(lambda: cancel_own_order(self.some_order(number), at=self.clock.now), interruption)

    def staff_move_it(self, number: int, interruption: Interruption) -> None:
        to = ("processing", "shipped", "shipped", "delivered", "cancelled")[number % 5]
        words = {"reason": "They pay by invoice."} if number % 2 else {}
        self.act(lambda: change_status(self.some_order(number // 5), to, actor="grace", at=self.clock.now, **words), interruption)

    def staff_release_it(self, number: int, interruption: Interruption) -> None:
        self.act(lambda: release_hold(self.some_order(number), actor="grace", at=self.clock.now), interruption)

    def ask_anew(self, number: int) -> None:
        order, network = self.some_order(number), ("BTC", "XRP")[number // 48]
        if number % 2:
            requote_order(order, network, at=self.clock.now)
        else:
            version = Invoice.objects.get(subject_id=order).version
            ask_for_rest(order, network, version=version, actor="grace", at=self.clock.now)

    def the_stock_changes(self, number: int, _: object) -> None:
        """Somebody else buys the last one, or more of it comes."""
        change = 1 if number % 2 else -Product.objects.get().stock
        Product.objects.update(stock=F("stock") + change)
        self.supply += change

    def mails_are_sent(self, number: int, interruption: Interruption) -> None:
        self.act(sweep_mails, interruption)

    something_happens = happenings(ORDERS)

    # --- What must be true after each step ----------------------------------------------------------------------------------

    def check(self) -> StoredRows:
        stored = super().check()
        orders = {order.pk: order for order in all_rows(Order)}
        self.no_stock_is_lost_or_made(orders)
        self.mails = {mail.key for mail in all_rows(Mail)}
        self.types = {order: {event.type for event in stored.events[order]} for order in orders}
        for order in orders.values():
            self.its_log_tells_its_state(order, stored)
            self.it_is_told_once(order)
        for invoice in stored.invoices:
            self.who_may_pay_finds_it_in_stock(invoice, orders[invoice.subject_id])
            self.who_is_told_of_money_has_paid(invoice, stored)
        return stored

    def no_stock_is_lost_or_made(self, orders: dict[UUID, Order]) -> None:
        """I6."""
        [product] = all_rows(Product)
        left = product.stock
        assert left >= 0
        assert left + sum(order.holds_stock for order in orders.values()) == self.supply

    def its_log_tells_its_state(self, order: Order, stored: StoredRows) -> None:
        """I4, I8."""
        told = stored.events[order.pk]
        assert [event.seq for event in told] == list(range(1, order.version + 1))
        assert told[-1].data | {"reason": ""} == state_of(order) | {"reason": ""}

    def it_is_told_once(self, order: Order) -> None:
        """I8: one mail for each occasion, and none without."""
        assert f"order-received:{order.pk}" in self.mails
        assert (f"order-shipped:{order.pk}" in self.mails) == ("order.shipped" in self.types[order.pk])

    def who_is_told_of_money_has_paid(self, invoice: Invoice, stored: StoredRows) -> None:
        """I8."""
        if f"payment-confirmed:{invoice.subject_id}" in self.mails:
            assert any(event.type == "invoice.settled" for event in stored.events[invoice.pk])

    def who_may_pay_finds_it_in_stock(self, invoice: Invoice, order: Order) -> None:
        assert bool(order.hold_reason) == order.on_hold
        assert not (order.status == "cancelled" and order.holds_stock)
        if order.status == "pending" and invoice.status in ("new", "expired"):
            assert order.holds_stock == (invoice.status == "new")
        if order.status in ("processing", "shipped", "delivered"):
            assert order.holds_stock or order.on_hold
        if invoice.status == "settled" and order.status != "cancelled":
            assert f"payment-confirmed:{order.pk}" in self.mails

    # --- What must be true when all is quiet --------------------------------------------------------------------------------

    def sweep(self) -> None:
        super().sweep()
        self.clock.forward(HOLD + timedelta(seconds=1))
        sweep_mails()

    def what_is_stored_is_the_truth(self) -> None:
        super().what_is_stored_is_the_truth()
        invoices = {invoice.subject_id: invoice for invoice in all_rows(Invoice)}
        for order in all_rows(Order):
            assert order.payment_status == payment_status(invoices[order.pk])
        files = {file.stem for file in Path(settings.MAIL_DIR).glob("*")}
        mails = all_rows(Mail)
        assert files >= {str(mail.pk) for mail in mails if mail.bundle == ""}
        assert all(mail.sent_at for mail in mails)

    def everything(self) -> list[list[dict[str, Any]]]:
        models: tuple[type[Model], ...] = (Invoice, Payment, Event, Order, Product, Mail)
        return [all_columns(model) for model in models]
