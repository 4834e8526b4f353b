"""Where a buyer goes on with a payment: by the key of the order, the session or the login; never by the pay page alone."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from cryptons.api.limits import forget_counts
from cryptons.mail.models import Mail
from payments.errors import NodeUnavailable
from payments.models import Cursor, Invoice, Option
from payments.networks.sandbox.network import SandboxNetwork
from shop.checkout import quote_page
from shop.models import Order, Product
from shop.orders.access import SESSION_KEY
from shop.tests.paying import open_order, pay, placed, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def quote_path(order, *, key=True):
    invoice = Invoice.objects.get(subject_id=order.pk)
    return f"/pay/{invoice.pk}/quote/" + (f"?order={order.access_token}" if key else "")


def pay_page(client, order):
    invoice = Invoice.objects.get(subject_id=order.pk)
    return client.get(f"/pay/{invoice.pk}/?order={order.access_token}", follow=True).text


def yesterday():
    return timezone.now() - timedelta(days=1)


def expired_order(**more):
    order = placed(at=yesterday(), **more)
    run_out(order)
    return order


def late_order():
    order = expired_order()
    tell(order, height=999, seen_at=timezone.now(), at=timezone.now())
    return order


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_visitor_with_only_the_pay_link_cannot_get_a_new_quote(client, method):
    order = open_order()
    assert getattr(client, method)(quote_path(order, key=False), {"network": "LTC"}).status_code == 403
    assert getattr(client, method)(f"{quote_path(order, key=False)}?order=x").status_code == 403
    assert Option.objects.count() == 1


def test_the_key_of_another_order_does_not_allow_a_new_quote(client):
    order, other = open_order(), open_order(product__sku="POT")
    assert client.post(f"{quote_path(order, key=False)}?order={other.access_token}", {"network": "LTC"}).status_code == 403


def test_the_quote_form_is_only_on_the_pay_page_of_the_buyer(client):
    order = open_order()
    text = client.get(f"/pay/{Invoice.objects.get().pk}/").text
    assert "Get a new quote" not in text
    assert "csrfmiddlewaretoken" not in text.partition("sandbox")[0]
    assert "/quote/" not in text
    assert f'action="{quote_path(order, key=False)}"' in pay_page(client, order)


def test_the_quote_form_changes_the_coin(client):
    order = open_order()
    text = pay_page(client, order)
    assert '<input type="radio" name="network" value="BTC" checked>' in text

    response = client.post(quote_path(order), {"network": "LTC"})

    invoice = Invoice.objects.get()
    assert (response.status_code, response.url) == (302, f"/pay/{invoice.pk}/")
    text = client.get(response.url).text
    assert Option.objects.latest("created_at").destination in re.sub(r"<[^>]*>", "", text)
    assert 'href="litecoin:rltc1q' in text
    assert '<input type="radio" name="network" value="LTC" checked>' in text


def test_a_quote_form_without_a_csrf_token_is_refused(client):
    client.handler.enforce_csrf_checks = True
    order = open_order()
    assert client.post(quote_path(order), {"network": "LTC"}).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', pay_page(client, order))[1]
    assert client.post(quote_path(order), {"network": "LTC", "csrfmiddlewaretoken": token}).status_code == 302


def test_the_session_that_placed_the_order_can_get_a_new_quote_without_the_key(client):
    order = open_order()
    session = client.session
    session[SESSION_KEY] = [str(order.pk)]
    session.save()
    assert client.post(quote_path(order, key=False), {"network": "LTC"}).url == f"/pay/{Invoice.objects.get().pk}/"


def test_only_the_user_who_placed_the_order_can_get_a_new_quote_without_the_key(client):
    ada = UserFactory()
    order = open_order(user=ada)
    client.force_login(UserFactory())
    assert client.post(quote_path(order, key=False), {"network": "LTC"}).status_code == 403
    client.force_login(ada)
    assert client.post(quote_path(order, key=False), {"network": "LTC"}).status_code == 302


def test_the_buyer_can_get_a_new_quote_for_an_expired_payment(client):
    order = expired_order()
    assert f'href="{quote_path(order, key=False)}"' in pay_page(client, order)
    assert f'href="{quote_path(order, key=False)}"' in client.get(f"/orders/{order.access_token}/", follow=True).text

    text = client.get(quote_path(order), follow=True).text
    assert "<dt>To pay</dt><dd><strong>$99.98</strong></dd>" in text
    assert "about 1.24975000 LTC" in text
    client.post(quote_path(order), {"network": "XRP"})

    assert Order.objects.get().payment_status == "unpaid"
    assert "Waiting for your payment" in pay_page(client, order)


def test_a_new_quote_for_a_sold_out_product_is_refused(client):
    order = expired_order()
    Product.objects.update(stock=0)
    response = client.post(quote_path(order), {"network": "BTC"})
    assert response.status_code == 409
    assert "Copper Kettle is sold out." in response.text
    assert Invoice.objects.get().status == "expired"


def test_the_buyer_can_pay_with_late_money_by_one_press(client):
    order = late_order()
    text = client.get(quote_path(order), follow=True).text
    assert "0.00153816 BTC, worth $99.98 at today's rate" in text
    assert "That is enough" in text
    assert 'name="network"' not in text

    text = client.post(quote_path(order), follow=True).text

    assert "What you paid is enough: you do not have to send anything more." in text
    assert Order.objects.get().payment_status == "paid"


def test_late_money_that_is_not_enough_asks_for_the_rest(client, settings):
    order = late_order()
    settings.FIXED_RATES = {**settings.FIXED_RATES, "BTC": settings.FIXED_RATES["BTC"] / 2}
    text = client.get(quote_path(order), follow=True).text
    assert "worth $49.99" in text
    assert "<dt>To pay</dt><dd><strong>$49.99</strong></dd>" in text
    assert "$49.99 of $99.98 received (50 %)" in client.post(quote_path(order), {"network": "LTC"}, follow=True).text


def test_the_link_in_the_mail_opens_the_quote_page_without_a_login(client, settings):
    order = late_order()
    mail = Mail.objects.get(key__startswith="payment_late")
    link = f"{settings.PUBLIC_URL}{quote_path(order)}"
    assert link in mail.text
    assert "That is enough" in client.get(link.removeprefix(settings.PUBLIC_URL), follow=True).text


def test_a_new_quote_for_a_paid_order_is_refused(client):
    order = open_order()
    tell(order, at=timezone.now(), seen_at=timezone.now())
    text = client.get(quote_path(order), follow=True).text
    assert "This is already paid." in text
    assert "<form method" not in text.partition("<main")[2].partition("</main")[0]
    response = client.post(quote_path(order), {"network": "LTC"})
    assert (response.status_code, "This is already paid." in response.text) == (409, True)


def test_a_network_that_fails_shows_an_error_and_keeps_the_others_available(client, monkeypatch):
    def away(self, request):
        raise NodeUnavailable("no answer")

    order = open_order()
    monkeypatch.setattr(SandboxNetwork, "open_destination", away)
    response = client.post(quote_path(order), {"network": "LTC"})
    assert response.status_code == 503
    assert "Litecoin cannot be reached right now. Nothing was changed" in response.text
    assert '<input type="radio" name="network" value="BTC" checked>' in response.text
    assert 'value="LTC" disabled' in response.text


def test_a_network_that_is_failing_cannot_be_chosen(client):
    Cursor.objects.create(network="LTC", failing_since=timezone.now())
    assert 'value="LTC" disabled' in pay_page(client, open_order())


@pytest.mark.parametrize("network", ["DOGE", "BTC-LN", "\x00", "x" * 500])
def test_a_coin_that_the_shop_does_not_take_is_refused(client, network):
    response = client.post(quote_path(open_order()), {"network": network})
    assert response.status_code == 400
    assert "It takes: Bitcoin, Litecoin, XRP." in response.text
    assert Option.objects.count() == 1


def test_the_number_of_new_quotes_is_limited(client, monkeypatch):
    forget_counts()
    monkeypatch.setattr(quote_page, "LIMIT", "1/hour")
    order = open_order()
    assert [client.post(quote_path(order), {"network": "LTC"}).status_code for _ in range(2)] == [302, 429]


def test_the_quote_page_of_an_unknown_payment_is_a_404(client):
    assert client.get("/pay/00000000-0000-7000-8000-000000000000/quote/").status_code == 404


def test_the_refund_link_is_mailed_only_to_the_email_address_of_the_order(client):
    order = late_order()
    path = f"/orders/{order.number}/money-back/"
    assert f'href="{path}"' in pay_page(client, order)
    assert f'href="{path}"' in client.get(f"/orders/{order.access_token}/", follow=True).text
    assert "/refund/" not in pay_page(client, order) + client.get(f"/orders/{order.access_token}/", follow=True).text

    assert "Email me the link" in client.get(path).text
    assert not Mail.objects.filter(key__startswith="money_back").exists()
    text = client.post(path, follow=True).text
    client.post(path)

    assert "We have sent the link to ada@example.com." in text
    mail = Mail.objects.get(key__startswith="money_back")
    assert mail.to == "ada@example.com"
    assert "/refund/" in mail.text


@pytest.mark.parametrize("steps", [[], [pay]])
def test_no_refund_link_is_mailed_when_there_is_nothing_to_refund(client, steps):
    order = placed()
    for step in steps:
        step(order)
    assert "There is nothing to refund" in client.post(f"/orders/{order.access_token}/money-back/", follow=True).text
    assert "money-back" not in client.get(f"/orders/{order.access_token}/", follow=True).text
