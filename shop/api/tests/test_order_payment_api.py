"""Reading an order's payment and asking for a new quote over the API."""

import pytest

from accounts.tests.factories import ApiClient, StaffFactory, UserFactory
from payments.errors import NodeUnavailable
from payments.models import Invoice
from payments.networks.sandbox.network import SandboxNetwork
from shop.api.tests.api_calls import assert_error
from shop.models import Product
from shop.tests.factories import OrderFactory
from shop.tests.paying import pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_payment_of_an_order_can_be_read(api, ada):
    order = placed(user=ada)
    tell(order)
    payment = api.get(f"/api/orders/{order.pk}/payment").json()["data"]
    assert (payment["invoiceId"], payment["status"]) == (str(Invoice.objects.get().pk), "processing")


def test_the_coin_of_an_open_order_can_be_changed(api, ada):
    order = placed(user=ada)
    body = api.post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "LTC"}).json()["data"]
    assert (body["network"], body["status"], body["amount"]) == ("LTC", "new", "1.24975000")
    assert body == api.get(f"/api/orders/{order.pk}/payment").json()["data"]
    assert api.get(f"/api/orders/{order.pk}").json()["data"]["cryptocurrency"] == "LTC"


def test_a_new_quote_reopens_an_expired_order(api, ada):
    order = placed(user=ada)
    run_out(order)
    body = api.post(f"/api/orders/{order.pk}/payment", {}).json()["data"]
    assert (body["network"], body["status"]) == ("BTC", "new")


def test_a_paid_cancelled_or_sold_out_order_gets_no_new_quote(api, ada):
    order = placed(user=ada)
    run_out(order)
    Product.objects.update(stock=0)
    assert_error(api.post(f"/api/orders/{order.pk}/payment", {}), 409, "INSUFFICIENT_STOCK")
    pay(order)
    assert_error(api.post(f"/api/orders/{order.pk}/payment", {}), 409, "CONFLICT")
    cancelled = placed(user=ada, product__sku="POT")
    api.post(f"/api/orders/{cancelled.pk}/cancel", {})
    assert_error(api.post(f"/api/orders/{cancelled.pk}/payment", {}), 409, "ILLEGAL_TRANSITION")


def test_no_quote_is_made_while_the_network_is_unavailable(api, ada, monkeypatch):
    def away(self, request):
        raise NodeUnavailable("no answer")

    order = placed(user=ada)
    monkeypatch.setattr(SandboxNetwork, "open_destination", away)
    assert_error(api.post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "XRP"}), 503, "SERVICE_UNAVAILABLE")


def test_a_quote_in_a_coin_that_the_shop_does_not_take_is_refused(api, ada):
    order = placed(user=ada)
    error = assert_error(api.post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "CARD"}), 400, "VALIDATION_ERROR")
    assert error["details"][0]["message"].endswith("It takes: Bitcoin, Litecoin, XRP.")


def test_only_the_buyer_can_change_the_payment_of_an_order(api, ada):
    staff, order = StaffFactory(), placed(user=ada)
    for other in (UserFactory(), staff):
        assert_error(ApiClient(other).post(f"/api/orders/{order.pk}/payment", {"cryptocurrency": "LTC"}), 404, "NOT_FOUND")
    assert Invoice.objects.get().options.count() == 1


@pytest.mark.parametrize("body", [{"cryptocurrency": "DOGE"}, {"cryptocurrency": {"$ne": None}}, {"coin": "BTC"}, []])
def test_a_quote_for_an_unknown_coin_or_field_is_refused(api, ada, body):
    assert_error(api.post(f"/api/orders/{placed(user=ada).pk}/payment", body), 400, "VALIDATION_ERROR")


def test_an_order_without_an_invoice_has_no_payment(api, ada):
    assert_error(api.get(f"/api/orders/{OrderFactory(user=ada).pk}/payment"), 404, "NOT_FOUND")
