"""The rows of a shop that routes are about: an order of the buyer, one of a guest, the money of both, goods, mails and the audit log."""

import base64
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.api_keys import make_key
from accounts.models import User
from accounts.tests.factories import StaffFactory, UserFactory
from accounts.verification.documents import PDF, write_files
from accounts.verification.models import Document, SanctionsHit, Verification
from cryptons.audit.models import Entry
from cryptons.audit.writing import write
from cryptons.events.endpoints import send_test
from cryptons.events.models import WebhookDelivery, WebhookEndpoint
from cryptons.mail.models import Mail
from payments.models import Alert, Cursor, Invoice, Payment, Payout, Rate
from payments.payouts.refund_links import refund_path
from payments.tests.factories import PayoutFactory
from reviews.models import Review
from reviews.tests.factories import ReviewFactory
from shop.models import Cart, Order, Product, ProductImage, Voucher
from shop.orders.access import return_token
from shop.pricing.vouchers import new_code
from shop.settings.models import ContentPage
from shop.settings.page_changes import publish_page
from shop.tests.factories import CartItemFactory, CategoryFactory, ProductFactory
from shop.tests.paying import invoice_of, open_order, pay
from tests.matrix.people import BUYER, DISABLED, People

PSBT = base64.b64encode(b"psbt\xffnot really").decode()


class Rows:
    def __init__(self, people: People) -> None:
        buyer, self.root = people.users[min(BUYER)], people.users["superuser"]
        self.product: Product = ProductFactory.create(stock=1_000)
        self.unlisted: Product = ProductFactory.create(is_listed=False)
        self.review: Review = ReviewFactory.create(product=self.product, user=buyer, approved=True)
        self.page: ContentPage = self.fresh("settings_contentpage")
        publish_page(self.page.pk, by="grace", at=timezone.now())
        self.cart_item = CartItemFactory.create(cart=Cart.objects.get_or_create(user=buyer)[0], product=self.product)
        self.order = self._order("BUYER", user=buyer)
        self.paid = self._order("PAID", user=buyer)
        pay(self.paid)
        self.guests = self._order("GUEST")
        self.linked = self._order("LINK")
        self.closed = self._order("CLOSED", user=people.users[min(DISABLED)])
        self.invoice: Invoice = invoice_of(self.paid)
        self.payment: Payment = self.invoice.payments.get()
        self.draft: Payout = PayoutFactory.create(invoice=self.invoice, amount_base=1_000)
        self.signing: Payout = PayoutFactory.create(invoice=self.invoice, amount_base=2_000, status="approved", psbt=PSBT)
        self.alert: Alert = Alert.objects.create(key="difference", text="A payment is missing.")
        self.cursor: Cursor = Cursor.objects.get(network="BTC")
        self.rate: Rate = Rate.objects.update_or_create(
            coin="BTC", defaults={"currency": "USD", "minor_per_coin": 5_000_000, "quoted_at": timezone.now()}
        )[0]
        self.mail: Mail = Mail.objects.create(key="mail", to=buyer.email, subject="Your order", text="Thank you.", html="<p>Thank you.</p>")
        self.endpoint: WebhookEndpoint = self.fresh("events_webhookendpoint")
        self.delivery: WebhookDelivery = send_test(self.endpoint, at=timezone.now())
        write("change", "product", str(self.product.pk), self.product.name)
        self.entry: Entry = Entry.objects.latest("id")

    def _order(self, sku: str, *, user: User | None = None) -> Order:
        return open_order(user=user, product__sku=sku, product__stock=1_000)

    def return_token(self) -> str:
        return return_token(self.paid.number)

    def _verification(self) -> Verification:
        """Make one with a document, which FIELD_ENCRYPTION_KEY encrypts."""
        row = Verification.objects.create(user=UserFactory.create(), provider="manual", status=Verification.Status.PENDING)
        Document.objects.bulk_create(write_files(row, {"front": (b"%PDF-1.4 %%EOF", PDF)}, at=timezone.now()))
        return row

    def refund_path(self) -> str:
        return refund_path(self.invoice.pk)

    def fresh(self, model: str) -> Any:
        """Make a row that may be deleted."""
        makers: dict[str, Any] = {
            "accounts_apikey": lambda: make_key(self.root, "Program", ["orders:read"])[0],
            "accounts_user": UserFactory.create,
            "accounts_user of staff": StaffFactory.create,
            "auth_group": lambda: Group.objects.create(name=f"Helpers {Group.objects.count()}"),
            "events_webhookendpoint": lambda: WebhookEndpoint.objects.create(url="https://erp.example/hooks", events=["order.paid"]),
            "reviews_review": ReviewFactory.create,
            "settings_contentpage": lambda: ContentPage.objects.create(
                slug=f"about-{new_code()}", texts={"en": {"title": "About us", "text": "We sell."}}
            ),
            "shop_category": CategoryFactory.create,
            "shop_product": ProductFactory.create,
            "shop_voucher": lambda: Voucher.objects.create(code=new_code(), percent=10),
            "verification_sanctionshit": lambda: SanctionsHit.objects.create(
                key=new_code(), entry="Petrov, Ivan", name="Ivan Petrov", email="ivan@example.com", seen_at=timezone.now()
            ),
            "verification_verification": self._verification,
            "shop_productimage": lambda: ProductImage.objects.create(product=self.product, file="a.webp", width=1, height=1),
        }
        return makers[model]()
