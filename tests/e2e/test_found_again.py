"""Who ordered and closed the tab finds the order again, in another browser, and pays it."""

from collections.abc import Callable

from tests.e2e.browser import DESKTOP, PHONE, Browser
from tests.e2e.mailbox import link_in, wait_for_mail
from tests.e2e.test_accounts import PASSWORD, log_in, register
from tests.e2e.test_buying import ADDRESS, check_out, pay, take_the_kettle
from tests.running import Shop


def test_a_guest_who_closed_the_tab_finds_the_order_by_number_and_mail_address(shop: Shop, open_browser: Callable[..., Browser]):
    email = "mary@example.com"
    guest = open_browser(PHONE)
    take_the_kettle(guest)
    check_out(guest, email)
    number = guest.find("#pay-order").text.removeprefix("Order ")

    later = open_browser(PHONE)
    later.open("/")
    later.press("Your orders", within="footer")
    assert "No orders yet." in later.text()
    later.fill(number=number, email="somebody@example.com")
    later.press("Send the link")
    answer = later.find(".messages").text
    later.fill(number=number.lower().replace("-", " "), email=email)
    later.press("Send the link")
    assert later.find(".messages").text == answer
    later.check_the_page()
    later.open(link_in(wait_for_mail(shop, email, f"The link to your order {number}"), "/orders/"))
    assert later.heading() == f"Order {number}"
    later.check_the_page()
    later.press("Go to the payment")
    pay(later)
    later.press("See your order")
    later.wait_until_shown("Processing")

    guest.open("/")
    assert "waits for your payment" not in guest.text()
    other = open_browser(DESKTOP, javascript=False)
    other.open(link_in(wait_for_mail(shop, email, f"We received your order {number}"), "/pay/"))
    assert "Your payment is complete" in other.text()


def test_a_user_finds_the_open_order_on_another_device(shop: Shop, open_browser: Callable[..., Browser]):
    email = "ida@example.com"
    register(shop, "ida")
    phone = open_browser(PHONE)
    log_in(phone, "ida", PASSWORD)
    take_the_kettle(phone)
    phone.open("/checkout/")
    assert phone.find("[name=email]").get_attribute("value") == email
    phone.fill(**ADDRESS)
    phone.press("Continue to payment method")
    phone.find("main form .button--primary").click()
    phone.wait_until_shown("Waiting for your payment")
    paying, number = phone.path, phone.find("#pay-order").text

    computer = open_browser(DESKTOP)
    computer.open(paying)
    assert number not in computer.text()
    log_in(computer, email, PASSWORD)
    assert f"{number} waits for your payment." in computer.text()
    computer.check_the_page()
    computer.open("/cart/")
    assert f"{number} waits for your payment." in computer.text()
    computer.open("/account/orders/")
    computer.check_the_page()
    computer.press("Pay now")
    assert computer.path == paying
    assert number in computer.text()
    computer.open("/checkout/")
    assert computer.path == paying, "the cart is empty, because it was ordered"
    computer.open("/account/address/")
    assert computer.find("[name=street]").get_attribute("value") == ADDRESS["street"]
