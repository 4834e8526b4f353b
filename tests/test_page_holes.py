"""A visitor with a session gets the page that everybody gets, with its own cart and name in it, without a query."""

import re
import time

import pytest
from django.conf import settings as shop_settings

from accounts.tests.factories import UserFactory
from cryptons.page_holes import COOKIE, Page, Visitor, read_visitor, write_visitor
from shop.catalogue.changes import rebuild_search
from shop.tests.factories import ProductFactory
from tests.test_ready_answers import Shop, _one_thread, always  # noqa: F401

SESSION = shop_settings.SESSION_COOKIE_NAME


@pytest.fixture
def product(db):
    product = ProductFactory(name="Kettle", stock=9)
    rebuild_search()
    return product


@pytest.fixture
def shop(product):
    return Shop()


def add(client, product, quantity=1):
    client.post("/cart/add/", {"product": product.pk, "quantity": quantity}, headers={"Sec-Fetch-Site": "same-origin"})
    client.get("/cart/")  # shows the message


def cookies(client):
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items() if morsel.value)


def visitor(client):
    return read_visitor(client.cookies[COOKIE].value, client.cookies[SESSION].value, at=time.time())


def words(sent):
    return re.sub(rb"\s+", b"", sent.body).decode()


@pytest.mark.parametrize("path", ["/", "/search", "/de/", "product"])
def test_a_guest_with_a_cart_gets_the_ready_page_with_the_number_in_it(shop, client, product, path):
    path = product.get_absolute_url() if path == "product" else path
    add(client, product, 3)
    shop.get(path)

    ready = shop.get(path, cookie=cookies(client))
    head = shop.get(path, "HEAD", cookie=cookies(client))
    assert shop.asked == 1
    django = Shop().get(path, cookie=cookies(client))
    made_for_them_alone = Shop().get(path, cookie=f"{SESSION}={client.cookies[SESSION].value}")

    assert (ready.status, ready.body, always(ready)) == (200, django.body, always(django))
    assert (head.status, head.body, always(head)) == (200, b"", always(ready))
    assert ready.headers["cache-control"] == "private, no-cache"
    assert "etag" not in ready.headers
    assert "Cookie" in ready.headers["vary"]
    assert words(ready) == words(made_for_them_alone)
    assert words(ready) != words(shop.get(path))


def test_somebody_with_a_login_finds_their_name(shop, client, product):
    client.force_login(UserFactory(username="ada"))
    client.get("/account/")
    shop.get("/")

    ready = shop.get("/", cookie=cookies(client))

    assert visitor(client) == Visitor("ada", 0)
    assert shop.asked == 1
    assert ">ada</a>" in ready.body.decode()
    assert ">ada</a>" not in shop.get("/").body.decode()
    client.post("/account/logout/")
    assert not client.cookies[COOKIE].value


def test_the_cookie_follows_the_cart(client, product):
    assert COOKIE not in client.get("/").cookies
    add(client, product)
    assert visitor(client) == Visitor("", 1)
    add(client, product, 2)
    assert visitor(client) == Visitor("", 3)


def test_a_page_is_kept_by_the_front_also_when_a_visitor_with_a_session_was_first(shop, client, product):
    add(client, product)
    shop.get("/", cookie=cookies(client))
    newcomer = shop.get("/")

    assert shop.asked == 1
    assert (newcomer.body, always(newcomer)) == ((django := Shop().get("/")).body, always(django))


def test_a_waiting_message_is_shown_by_django(shop, client, product):
    client.post("/cart/add/", {"product": product.pk, "quantity": 1}, headers={"Sec-Fetch-Site": "same-origin"})
    shop.get("/")

    shown = shop.get("/", cookie=cookies(client))

    assert visitor(client).has_message
    assert shop.asked == 2
    assert "is in your cart" in shown.body.decode()
    (renewed,) = [text for text in shown.cookies if text.strip().startswith(f"{COOKIE}=")]
    value = renewed.partition("=")[2].partition(";")[0]
    assert read_visitor(value, client.cookies[SESSION].value, at=time.time()) == Visitor("", 1)


@pytest.mark.parametrize("header", ["authorization", "origin"])
def test_only_django_answers_tokens_and_other_sites(shop, client, product, header):
    add(client, product)
    shop.get("/")
    shop.get("/", cookie=cookies(client), **{header: "x"})

    assert shop.asked == 2


def test_the_api_does_not_know_the_cookie(shop, client, product):
    add(client, product)
    shop.get("/api/products")
    shop.get("/api/products", cookie=cookies(client))

    assert shop.asked == 2


NOW = 1_000_000


@pytest.mark.parametrize("person", [Visitor(), Visitor("ada", 3), Visitor("J\u00f6rg & S\u00f6hne", 12_000, True, "7K3M9-2QFXA")])
def test_the_cookie_is_read_as_it_was_written(person):
    assert read_visitor(write_visitor(person, "session", until=NOW), "session", at=NOW - 1) == person


GOOD = ("ada", 3, False)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "x",
        "9999999999.3.0..YWRh.x",
        "1000000.9.0..YWRh.{mac}",
        "1000000.3.0.7K3M9-2QFXA.YWRh.{mac}",
        "1000000.3.0..Ym9i.{mac}",
        "9000000.3.0..YWRh.{mac}",
    ],
)
def test_a_forged_cookie_is_worth_nothing(value):
    mac = write_visitor(Visitor(*GOOD), "session", until=NOW).rpartition(".")[2]

    assert read_visitor(value.format(mac=mac), "session", at=NOW - 1) is None


def test_the_cookie_of_another_session_and_one_that_is_old_are_worth_nothing(settings):
    value = write_visitor(Visitor(*GOOD), "session", until=NOW)

    assert read_visitor(value, "another", at=NOW - 1) is None
    assert read_visitor(value, "session", at=NOW) is None
    settings.SECRET_KEY = "another key"
    assert read_visitor(value, "session", at=NOW - 1) is None


def test_the_link_to_an_open_order_is_filled_in_with_the_language_of_the_page():
    page = Page(b"<!--hole order-->", "de")

    assert b'href="/de/orders/7K3M9-2QFXA/pay/"' in page.fill(Visitor(open_order="7K3M9-2QFXA"))
    assert page.fill(Visitor()) == b""


def test_a_name_is_escaped():
    page = Page(b"<!--hole account-->Log in<!--or--><b><!--name--></b><!--end-->", "en")

    assert page.fill(Visitor("<script>")) == b"<b>&lt;script&gt;</b>"
    assert page.fill(Visitor()) == b"Log in"
    assert page.has_holes
    assert not Page(b"a page", "en").has_holes
