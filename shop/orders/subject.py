"""The shop's answers to payments: orders are what invoices are paid for."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings

from cryptons.languages import path_of
from payments.accounting.ledger import order_of
from payments.models import Invoice, Payout
from payments.subject import Subject, SubjectProblem
from shop.orders import payment, reconciliation
from shop.orders.access import return_token


class OrderSubject(Subject):
    def is_wanted(self, invoice: Invoice) -> bool:
        return payment.is_wanted(invoice)

    def buyer_id(self, invoice: Invoice) -> UUID | None:
        return payment.buyer_id(invoice)

    def reserve_again(self, invoice: Invoice) -> None:
        payment.take_stock_again(invoice)

    def on_invoice(self, invoice: Invoice, *, at: datetime) -> None:
        payment.follow_invoice(invoice, at=at)

    def on_payout(self, payout: Payout, *, at: datetime) -> None:
        payment.follow_payout(payout, at=at)

    def return_url(self, label: str) -> str:
        return f"{settings.PUBLIC_URL}{path_of('shop:pay_return', return_token(order_of(label)))}"

    def check(self, since: datetime, until: datetime) -> Iterable[SubjectProblem]:
        return reconciliation.check_orders(since, until)
