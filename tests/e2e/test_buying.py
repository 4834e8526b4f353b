"""A guest finds, buys and pays; staff ship; the guest sees it."""

from collections.abc import Callable

import pytest

from tests.e2e.browser import DESKTOP, PHONE, Browser, look
from tests.e2e.test_accounts import log_in
from tests.running import STAFF, Shop, wait_for

ADDRESS = {"name": "A. Buyer", "street": "1 Test Road", "city": "Testing", "postalCode": "12345", "country": "DE"}


@pytest.mark.parametrize(
    ("size", "javascript"),
    [
        pytest.param(DESKTOP, True, id="desktop"),
        pytest.param(PHONE, True, id="phone"),
        pytest.param(DESKTOP, False, id="without-javascript"),
    ],
)
def test_a_guest_can_buy_and_pay_and_staff_can_ship_the_order(
    shop: Shop, open_browser: Callable[..., Browser], size: tuple[int, int], javascript: bool
):
    guest = open_browser(size, javascript=javascript)
    find_the_kettle(guest)
    check_out(guest)
    pay(guest)
    guest.press("See your order")
    guest.wait_until_shown("Processing")
    guest.check_the_page()
    number = guest.heading().removeprefix("Order ")
    guest.press("Print a receipt")
    assert guest.heading() == f"Receipt for order {number}"
    guest.check_the_page()
    guest.press("See your order")

    ship(open_browser(DESKTOP), number)

    guest.driver.refresh()
    guest.wait_until_shown("Shipped")


def find_the_kettle(guest: Browser) -> None:
    guest.open("/")
    guest.check_the_page()
    assert guest.driver.get_cookies() == []
    guest.find("[type=search]").send_keys("kettel\n")
    guest.wait_until_shown("ettle")
    guest.check_the_page()
    first = guest.find("main .product-card h3 a")
    assert "kettle" in first.text.lower()
    first.click()
    guest.wait_until_shown("Add to cart")
    assert "kettle" in guest.heading().lower()
    guest.check_the_page()
    guest.click("Add to cart")
    guest.wait_until_shown("Copper Kettle is in your cart" if guest.has_javascript else "Your cart")


def take_the_kettle(guest: Browser) -> None:
    """The short way, for who has seen the long one."""
    guest.open("/p/copper-kettle/")
    guest.click("Add to cart")
    guest.wait_until_shown("Copper Kettle is in your cart" if guest.has_javascript else "Your cart")


def check_out(guest: Browser, email: str = "guest@example.com") -> None:
    if guest.path != "/cart/":
        guest.open("/cart/")
    guest.check_the_page()
    guest.press("Check out")
    guest.check_the_page()
    guest.fill(email=email, **ADDRESS)
    guest.press("Continue to payment method")
    guest.check_the_page()
    guest.find("[name=network][value=BTC]").click()
    guest.find("main form .button--primary").click()
    guest.wait_until_shown("Waiting for your payment")


def pay(guest: Browser) -> None:
    guest.check_the_page()
    assert look(lambda: guest.find("svg.pay__qr").is_displayed())
    assert ("This page refreshes automatically" in guest.text()) is not guest.has_javascript
    guest.stop_reloading()
    guest.press("Pay the exact amount")
    if guest.has_javascript:
        guest.driver.execute_script("window.isTheSamePage = true")
    guest.wait_until_shown("Your payment is complete", seconds=90)
    if guest.has_javascript:
        assert guest.driver.execute_script("return window.isTheSamePage"), "the page was loaded again"
    guest.check_the_page()


def ship(staff: Browser, number: str) -> None:
    log_in(staff, STAFF["username"], STAFF["password"], at="/admin/")
    staff.wait_until_shown("Orders")
    staff.open(f"/admin/shop/order/?q={number}")
    staff.find("#result_list tbody th a").click()
    staff.wait_until_shown(number)
    staff.press("Mark as shipped", within="body")
    staff.wait_until_shown("Mark this order as shipped?")
    staff.press("Mark as shipped", within="body//form")
    staff.wait_until_shown("Shipped")


def choose_litecoin(guest: Browser) -> bool:
    """Whether it is chosen on the pay page. What is above may have changed its height when it was pressed."""
    if not guest.find(".pay__other").get_attribute("open"):
        guest.find(".pay__other summary").click()
    coin = guest.find(".pay__other [value=LTC]")
    if coin.is_displayed():
        coin.click()
    return coin.is_selected()


def is_confirmed(staff: Browser) -> bool:
    staff.driver.refresh()
    return "Confirmed" in staff.text()


@pytest.mark.parametrize(
    ("size", "javascript"), [pytest.param(PHONE, True, id="phone"), pytest.param(DESKTOP, False, id="without-javascript")]
)
def test_a_guest_can_change_the_coin_and_staff_can_accept_a_late_payment(
    shop: Shop, open_browser: Callable[..., Browser], size: tuple[int, int], javascript: bool
):
    guest = open_browser(size, javascript=javascript)
    find_the_kettle(guest)
    check_out(guest)
    guest.stop_reloading()
    wait_for("Litecoin to be chosen", lambda: choose_litecoin(guest))
    guest.press("Get a new quote")
    guest.stop_reloading()
    assert look(lambda: str(guest.find("main .pay__code").get_attribute("href"))).startswith("litecoin:")
    guest.check_the_page()

    guest.press("Pay after the quote has expired")
    guest.wait_until_shown("Your payment arrived late", seconds=90)
    assert not guest.driver.find_elements("css selector", ".pay__other") or not guest.find(".pay__other").is_displayed()
    guest.check_the_page()

    staff = open_browser(DESKTOP)
    log_in(staff, STAFF["username"], STAFF["password"], at="/admin/")
    staff.wait_until_shown("Payments to decide about")
    staff.open("/admin/exceptions/")
    staff.press("Ask for the rest", within="body")
    wait_for("the payment to be confirmed", lambda: is_confirmed(staff))  # until then the page may change once more
    staff.find(".submit-row [type=submit]").click()
    staff.wait_until_shown("What was received is enough at today's rate.")

    guest.driver.refresh()
    guest.wait_until_shown("Your payment is complete", seconds=90)
    guest.check_the_page()
