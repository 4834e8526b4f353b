"""An order that is paid by card: chosen next to the coins, paid on Stripe's page, waited for on ours."""

import re

import pytest
from django.utils import timezone

from accounts.tests.factories import ApiClient, UserFactory
from cryptons.mail.models import Mail
from payments.invoices.settlement import settle
from payments.models import Invoice, Option
from payments.networks.stripe.tests.conftest import stripe  # noqa: F401
from payments.payouts.refund_links import refund_path
from payments.sync.follower import poll
from shop.checkout.tests.test_checkout_pages import fill_in, form_of, order
from shop.models import Order
from shop.orders.access import return_token
from shop.tests.factories import ADDRESS, ProductFactory
from tests.fake_stripe import TEST_KEY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _test_key(stripe, settings):
    settings.STRIPE_SECRET_KEY = TEST_KEY


def follow():
    for invoice_id in poll("CARD", at=timezone.now()):
        settle(invoice_id, at=timezone.now())


def test_an_order_is_paid_by_card_and_refunded_to_it(client, item, stripe, settings):
    fill_in(client)
    review = client.get("/checkout/payment/")
    assert re.search(r'value="CARD".*?Card</span>', review.text, re.DOTALL)

    paying = client.post("/checkout/payment/", {**form_of(review), "network": "CARD"})
    page, option = client.get(paying["Location"]).text, Option.objects.get()
    assert f'href="{option.payment_request}"' in page
    assert "Pay by card" in page
    assert "$99.98" in page
    assert "Simulate" not in page
    assert "data-copy" not in page
    session = stripe.sessions[option.destination]
    assert (session["amount_total"], session["currency"]) == (9_998, "usd")

    placed = Order.objects.get()
    assert session["success_url"] == session["cancel_url"] == f"{settings.PUBLIC_URL}/pay/return/{return_token(placed.number)}/"
    back = client.get(f"/pay/return/{return_token(placed.number)}/")
    assert back["Location"] == paying["Location"]
    assert client.get(f"/pay/return/{placed.number}/").status_code == 404

    stripe.pay(option.destination)
    follow()
    assert '<h1 class="pay__title">Paid</h1>' in client.get(paying["Location"]).text
    assert Invoice.objects.get().is_sandbox  # a test key's money is play money
    assert "99.98 USD" in Mail.objects.get(key=f"payment-confirmed:{placed.pk}").text

    Order.objects.update(status="cancelled")
    ask = client.get(refund_path(option.invoice_id), follow=True)
    assert "to the card that paid" in ask.text
    assert 'name="destination"' not in ask.text
    answer = client.post(ask.redirect_chain[-1][0], {"network": "CARD"}, follow=True)
    assert "We received your request" in answer.text
    assert "the card that paid" in answer.text


def test_an_order_over_the_api_is_quoted_and_placed_with_a_card(stripe):
    api = ApiClient(UserFactory(email="ada@example.com"))
    items = [{"productId": str(ProductFactory().pk), "quantity": 2}]
    (quoted,) = api.post("/api/checkout/quote", {"items": items, "cryptocurrency": "CARD"}).json()["data"]["amounts"]
    assert (quoted["network"], quoted["cryptocurrency"], quoted["amount"], quoted["rate"]) == ("CARD", "CARD", "99.98", "1.00")

    placed = api.post("/api/orders", {"items": items, "cryptocurrency": "CARD", "shippingAddress": ADDRESS}).json()["data"]
    option, payment = Option.objects.get(), placed["payment"]
    assert (placed["cryptocurrency"], payment["network"], payment["amount"], payment["lightning"]) == ("CARD", "CARD", "99.98", None)
    assert (payment["uri"], payment["address"], payment["sandbox"]) == (option.payment_request, option.destination, True)


def test_a_stripe_that_is_away_keeps_the_cart_and_offers_the_coins(client, item, stripe):
    stripe.troubles = [503]
    answer = order(client, "CARD")
    assert "Card cannot be reached right now. Nothing was ordered and your cart is kept." in answer.text
    assert not Order.objects.exists()
    assert order(client, "BTC").status_code == 302
