"""The pay page: what to pay, where to, how it stands; live, and without scripts."""

import re
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.tests.factories import UserFactory
from cryptons.api.limits import forget_counts
from payments.models import Cursor, Invoice, Option
from shop.checkout import pay_page as pay_pages
from shop.orders.access import SESSION_KEY
from shop.tests.paying import TIP, invoice_of, open_order, pay, run_out, tell

pytestmark = pytest.mark.django_db(transaction=True)


def show(client, order, **more):
    return client.get(f"/pay/{invoice_of(order).pk}/", **more)


def look(client, order, seen=""):
    return client.get(f"/pay/{invoice_of(order).pk}/status", {"seen": seen})


def seen_in(response):
    return re.search(r"seen=([0-9a-f]{16})", response.text)[1]


def test_the_pay_page_shows_the_amount_the_address_and_the_qr_code(client):
    order = open_order()
    option = Option.objects.get()
    text = show(client, order).text
    assert "0.00153816" in text
    assert option.destination in text
    assert f'href="bitcoin:{option.destination}?amount=0.00153816&amp;label=Cryptons"' in text
    assert re.search(r'<svg[^>]*class="pay__qr"', text)
    assert "data-countdown" in text


def test_amount_time_left_and_wallet_come_before_the_qr_code(client):
    text = show(client, open_order()).text
    places = [text.index(words) for words in ('id="pay-amount"', "data-countdown", "Open in a wallet</a>", "<svg", 'id="pay-address"')]
    assert places == sorted(places)
    assert 'type="search"' not in text
    assert "1 BTC = $65,000.00" in text


def test_the_owner_sees_number_items_and_mail_address_and_others_do_not(client):
    order = open_order()
    assert "ada@example.com" not in (text := show(client, order).text)
    assert order.number not in text
    session = client.session
    session[SESSION_KEY] = [str(order.pk)]
    session.save()
    text = show(client, order).text
    for words in (f"Order {order.number}", "2 × Copper Kettle", "$99.98", "We write to ada@example.com about this order."):
        assert words in text


def test_title_and_favicon_follow_the_state_in_the_page_and_in_the_live_part(client):
    order = open_order()

    def check(title, icon):
        page, part = show(client, order).text, look(client, order).text
        for text in (page, part):
            assert f"<title>{title} · Cryptons</title>" in text
            assert re.search(rf'<link id="icon" rel="icon" href="/static/img/pay-{icon}.svg"', text)
        assert 'type="image/svg+xml" hx-swap-oob="true">' in part
        assert "hx-swap-oob" not in page

    check("Waiting for your payment", "waiting")
    tell(order)
    check("Seen, 0 of 2 confirmations", "seen")
    pay(order)
    check("Paid", "paid")


def test_a_paid_order_says_thank_you_and_what_happens_next(client):
    order = open_order()
    pay(order)
    session = client.session
    session[SESSION_KEY] = [str(order.pk)]
    session.save()
    text = show(client, order).text
    for words in ("Thank you.", f"<strong>{order.number}</strong>", "What happens next", f'href="/orders/{order.number}/receipt/"'):
        assert words in text
    assert re.search(r'<li class="steps__done">\s*Payment</li>', text)


def test_the_qr_code_is_black_on_white_with_a_quiet_zone():
    svg = pay_pages.qr_svg("bitcoin:bcrt1q?amount=1")
    size = int(re.search(r'viewBox="0 0 (\d+) \1"', svg)[1])
    assert size % 4 == 1
    assert re.search(rf'fill="#fff" d="M0 0h{size}v{size}h-{size}z"', svg)
    assert re.search(r'stroke="#000" d="M4 4', svg)


def test_the_pay_page_of_xrp_shows_the_destination_tag(client):
    order = open_order()
    Option.objects.update(network="XRP", destination="rExample?dt=42", due_base=1_500_000)
    text = show(client, order).text
    assert "rExample" in text
    assert 'id="pay-tag">42<' in text
    assert 'href="xrpl://rExample?dt=42&amp;amount=1.5"' in text


def test_the_pay_page_refreshes_automatically_without_javascript(client):
    order = open_order()
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', show(client, order).text)
    pay(order)
    assert "http-equiv" not in show(client, order).text


def test_the_pay_page_is_not_indexed_cached_or_sent_as_referrer(client):
    for response in (show(client, open_order()),):
        assert response["X-Robots-Tag"] == "noindex, nofollow"
        assert response["Referrer-Policy"] == "same-origin"
        assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("path", ["/pay/{}/", "/pay/{}/status"])
@pytest.mark.parametrize("invoice_id", ["nonsense", "00000000-0000-7000-8000-000000000000", "%00", "😀"])
def test_an_unknown_payment_is_a_404(client, path, invoice_id):
    assert client.get(path.format(invoice_id)).status_code == 404


def test_the_live_part_of_the_pay_page_needs_one_query(client, django_assert_num_queries):
    order = open_order()
    tell(order, percent=60)
    client.force_login(UserFactory())
    invoice = invoice_of(order)
    with django_assert_num_queries(1):
        assert client.get(f"/pay/{invoice.pk}/status").status_code == 200


def test_the_live_part_is_identical_to_that_part_of_the_pay_page(client):
    order = open_order()
    text, part = show(client, order).text, look(client, order).text
    live = part[part.index("<section") : part.index("</section>")]
    assert live.strip() in text
    assert "<html" not in part


def test_the_live_part_is_sent_only_when_something_has_changed(client):
    order = open_order()
    seen = seen_in(show(client, order))
    assert look(client, order, seen).status_code == 204

    tell(order)

    response = look(client, order, seen)
    assert response.status_code == 200
    assert "Seen, 0 of 2 confirmations" in response.text
    assert 'hx-swap-oob="innerHTML"' in response.text
    assert look(client, order, seen_in(response)).status_code == 204


def test_the_live_part_is_polled_until_the_order_is_paid(client):
    order = open_order()
    assert f'hx-trigger="every 3s, live" hx-swap="outerHTML" data-stream="/pay/{invoice_of(order).pk}/stream"' in look(client, order).text
    pay(order)
    text = look(client, order).text
    assert "Paid" in text
    assert "hx-trigger" not in text


def test_the_live_part_counts_the_confirmations(client):
    order = open_order()
    tell(order, height=TIP)
    text = look(client, order).text
    assert "Seen, 1 of 2 confirmations" in text
    assert re.search(r'<progress[^>]*max="2" value="1"', text)


def test_an_underpaid_order_shows_a_qr_code_for_the_rest(client):
    order = open_order()
    before = show(client, order).text
    tell(order, percent=60)
    option = Option.objects.get()

    text = look(client, order).text

    assert "0.00061539 BTC still to pay" in text
    assert f"bitcoin:{option.destination}?amount=0.00061539&amp;" in text
    assert re.search(r"<svg.*</svg>", text, re.S)[0] != re.search(r"<svg.*</svg>", before, re.S)[0]


def test_an_expired_pay_page_does_not_ask_for_money(client):
    order = open_order()
    Invoice.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    text = look(client, order).text
    assert "We are checking one last time" in text
    assert "<svg" not in text
    run_out(order, at=timezone.now())
    text = look(client, order).text
    assert "Please do not send money to this address any more." in text
    assert "<svg" not in text
    assert "bitcoin:" not in text


def test_a_visitor_with_only_the_pay_link_gets_no_link_to_the_order(client):
    order = open_order()
    text = show(client, order).text
    assert order.access_token not in text
    assert "The link to your order is in the email" in text


def test_the_session_that_placed_the_order_gets_a_link_to_it(client):
    order = open_order()
    session = client.session
    session[SESSION_KEY] = [str(order.pk)]
    session.save()
    assert f'href="/orders/{order.number}/"' in show(client, order).text


def test_the_user_who_placed_the_order_gets_a_link_to_it(client):
    ada = UserFactory()
    order = open_order(user=ada)
    client.force_login(ada)
    assert f'href="/orders/{order.number}/"' in show(client, order).text


def test_a_visitor_from_the_order_page_gets_a_link_back_in_the_live_part(client):
    order = open_order()
    text = client.get(f"/pay/{invoice_of(order).pk}/?order={order.access_token}", follow=True).text
    link = f'href="/orders/{order.number}/"'
    assert link in text
    address = re.search(r'hx-get="(/pay/[^"]+)"', text)[1].replace("&amp;", "&")
    pay(order)
    assert link in client.get(address).text


@pytest.mark.parametrize("key", ["x", "😀", "../../evil", '"><script>', "\x00"])
def test_the_pay_page_with_a_wrong_key_has_no_link_to_the_order(client, key):
    order = open_order()
    for path in ("", "status"):
        text = client.get(f"/pay/{invoice_of(order).pk}/{path}", {"order": key}, follow=True).text
        assert order.access_token not in text
        assert "<script>" not in text.replace("<script src", "")


def test_the_pay_page_has_buttons_for_the_sandbox(client):
    order = open_order()
    text = show(client, order).text
    assert f'action="/sandbox/{invoice_of(order).pk}/"' in text
    assert "TEST MODE" in text


def test_the_pay_page_has_no_sandbox_buttons_when_the_sandbox_is_off(client, settings):
    order = open_order()
    settings.SANDBOX = False
    assert "/sandbox/" not in show(client, order).text


def test_the_live_part_has_its_own_rate_limit(client, monkeypatch):
    order = open_order()
    forget_counts()
    monkeypatch.setattr(pay_pages, "STATUS_LIMIT", "2/minute")
    assert [look(client, order).status_code for _ in range(3)] == [200, 200, 429]
    assert int(look(client, order)["Retry-After"]) > 0


def test_a_new_invoice_version_without_a_visible_change_sends_no_live_part(client):
    order = open_order()
    seen = seen_in(show(client, order))
    Invoice.objects.update(version=F("version") + 1)
    assert look(client, order, seen).status_code == 204


NOTICED_LATE = "Payments are noticed late at the moment."


def polled(ago):
    Cursor.objects.update_or_create(network="BTC", defaults={"answered_at": timezone.now() - ago})


@pytest.mark.parametrize(("ago", "is_late"), [(timedelta(minutes=3), True), (timedelta(minutes=1), False)])
def test_the_pay_page_says_when_payments_are_noticed_late(client, ago, is_late):
    order = open_order()
    polled(ago)

    assert (NOTICED_LATE in show(client, order).text) is is_late
    assert (NOTICED_LATE in look(client, order).text) is is_late


def test_the_live_part_brings_the_news_that_payments_are_noticed_in_time_again(client):
    order = open_order()
    polled(timedelta(minutes=3))
    seen = seen_in(show(client, order))
    assert look(client, order, seen).status_code == 204

    polled(timedelta(seconds=5))

    answer = look(client, order, seen)
    assert answer.status_code == 200
    assert NOTICED_LATE not in answer.text


def test_a_network_that_was_never_polled_is_late_once_an_invoice_has_waited_for_it(client):
    order = open_order()
    assert NOTICED_LATE not in show(client, order).text

    Invoice.objects.update(created_at=F("created_at") - timedelta(minutes=3))

    assert NOTICED_LATE in show(client, order).text


def test_a_paid_invoice_does_not_speak_of_late_payments(client):
    order = open_order()
    pay(order)
    polled(timedelta(minutes=3))
    assert NOTICED_LATE not in show(client, order).text
