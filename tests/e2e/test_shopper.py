"""What a shopper does besides find, order and pay: change the cart, lose the connection, press twice, go back, close the tab."""

from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e.browser import DESKTOP, PHONE, Browser, is_replaced, look
from tests.e2e.test_buying import ADDRESS, find_the_kettle, take_the_kettle
from tests.running import wait_for

BOX = "#cart-form input[type=number]"


def quantity_in(shopper: Browser) -> str | None:
    return shopper.find(BOX).get_attribute("value")


def test_what_the_box_of_the_cart_shows_is_ordered(open_browser: Callable[..., Browser]):
    shopper = open_browser(PHONE)
    find_the_kettle(shopper)
    shopper.open("/cart/")
    shopper.find("[aria-label='One more']").click()
    shopper.press("Check out")
    assert "2 × Copper Kettle" in shopper.text()

    shopper.open("/cart/")
    type_quantity(shopper, "3")
    shopper.press("Check out")
    assert "3 × Copper Kettle" in shopper.text()
    shopper.open("/cart/")
    shopper.driver.get_log("browser")  # a request that the next page broke off may be in it

    shopper.find("[aria-label='One more']").click()
    number = "return document.querySelector('#cart-count').textContent.trim()"  # at once: the element is replaced
    wait_for("the number in the header", lambda: shopper.driver.execute_script(number).startswith("4"))
    wait_for("the button to have the focus again", lambda: focused(shopper, "getAttribute('aria-label')") == "One more")
    assert "Your cart has 4 items." in (shopper.find("#cart-announcement").get_attribute("textContent") or "")
    assert "Update" not in shopper.find("#cart-form").text
    lines = "const range = document.createRange(); range.selectNodeContents(arguments[0]); return range.getClientRects().length"
    assert shopper.driver.execute_script(lines, shopper.find("[id^=remove-]")) == 1, "the word breaks"
    shopper.check_the_page()

    be_offline(shopper, True)
    shopper.find("[aria-label='One more']").click()
    shopper.wait_until_shown("The shop cannot be reached. Nothing is lost")
    assert quantity_in(shopper) == "5"
    be_offline(shopper, False)
    wait_for("the change to be saved", lambda: not shopper.driver.find_elements(By.ID, "trouble"))
    shopper.driver.refresh()
    assert quantity_in(shopper) == "5"
    shopper.driver.get_log("browser")  # the lost request is in it

    type_quantity(shopper, "999", Keys.ENTER)
    shopper.wait_until_shown("Your cart still has 5.")
    wait_for("the wrong box to have the focus", lambda: focused(shopper, "getAttribute('aria-invalid')") == "true")
    shopper.check_the_page()
    shopper.click("Remove")
    shopper.wait_until_shown("Copper Kettle was removed.")
    wait_for("the way back to have the focus", lambda: focused(shopper, "textContent.trim()") == "Undo")


def focused(shopper: Browser, what: str) -> Any:
    """Ask the element that has the focus, in one step: it may be replaced after the next."""
    return shopper.driver.execute_script(f"return document.activeElement.{what}")


def be_offline(shopper: Browser, offline: bool) -> None:
    shopper.driver.set_network_conditions(offline=offline, latency=0, throughput=-1)


def test_a_quantity_that_is_typed_is_saved_wherever_the_focus_goes(open_browser: Callable[..., Browser]):
    shopper = open_browser(DESKTOP)
    take_the_kettle(shopper)
    shopper.open("/cart/")
    most = shopper.find(BOX).get_attribute("max")
    assert most
    type_quantity(shopper, most, Keys.TAB)
    assert focused(shopper, "textContent.trim()") == "Remove", "the button for one more is off"
    shopper.wait_until_shown(f"Only {most} left")
    shopper.driver.refresh()
    assert quantity_in(shopper) == most

    shopper.driver.set_network_conditions(offline=False, latency=100_000, throughput=-1)
    type_quantity(shopper, "3", Keys.TAB)
    wait_for("the request", lambda: shopper.driver.find_elements(By.CSS_SELECTOR, "#cart-form.htmx-request"))
    type_quantity(shopper, "2")
    type_quantity(shopper, "3")
    be_offline(shopper, False)
    shopper.find(BOX).send_keys(Keys.TAB)
    shopper.wait_until_shown("$267.00")
    shopper.driver.refresh()
    assert quantity_in(shopper) == "3"


def test_a_press_is_not_lost_when_the_cart_is_replaced_before_its_release(open_browser: Callable[..., Browser]):
    shopper = open_browser(DESKTOP)
    take_the_kettle(shopper)
    shopper.open("/cart/")
    release = press_until_answered(shopper, "#cart .cart-table .price")
    assert shopper.driver.find_elements(By.CSS_SELECTOR, "#cart noscript"), "the answer waits"
    release()
    wait_for("the answer to be shown", lambda: not shopper.driver.find_elements(By.CSS_SELECTOR, "#cart noscript"))
    wait_for("the buttons of its boxes", lambda: shopper.driver.find_elements(By.CSS_SELECTOR, "#cart .stepper"))

    shopper.open("/cart/")
    press_until_answered(shopper, "[name=checkout]")()
    wait_for("the checkout", lambda: shopper.path == "/checkout/")


def press_until_answered(shopper: Browser, selector: str) -> Callable[[], object]:
    """Hold the mouse down there while the cart's answer comes. Returns what releases it."""
    box = shopper.driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", shopper.find(selector))
    mouse = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left", "clickCount": 1}
    shopper.driver.execute_script(
        "document.addEventListener('htmx:afterRequest', () => { document.body.dataset.answered = ''; });"
        "document.addEventListener('mousedown', () => document.querySelector('#cart-form').dispatchEvent(new Event('change')));"
    )
    shopper.command("Input.dispatchMouseEvent", type="mousePressed", **mouse)
    wait_for("the answer", lambda: shopper.driver.find_elements(By.CSS_SELECTOR, "body[data-answered]"))
    return lambda: shopper.command("Input.dispatchMouseEvent", type="mouseReleased", **mouse)


def type_quantity(shopper: Browser, *keys: str) -> None:
    """Type over what the box holds, without leaving it: then no change is sent."""
    shopper.find(BOX).send_keys(Keys.CONTROL, "a", Keys.NULL, *keys)


def test_an_order_that_was_stopped_on_its_way_is_sent_by_the_next_press(open_browser: Callable[..., Browser]):
    shopper = open_browser(DESKTOP)
    take_the_kettle(shopper)
    shopper.open("/checkout/")
    shopper.fill(email="stopped@example.com", **ADDRESS)
    shopper.press("Continue to payment method")
    shopper.driver.execute_script("document.querySelector('main form .button--primary').click(); window.stop();")

    def press_again() -> bool:
        if shopper.path == "/checkout/payment/":
            try:
                shopper.find("main form .button--primary").click()
            except WebDriverException as error:  # the next page has come in between
                if not is_replaced(error):
                    raise
        return shopper.path.startswith("/pay/")

    wait_for("the pay page", press_again)
    shopper.wait_until_shown("Waiting for your payment")
    shopper.open("/account/orders/")
    assert len(shopper.driver.find_elements(By.CSS_SELECTOR, "tbody tr")) == 1


def test_an_open_order_is_found_again_until_it_is_paid(open_browser: Callable[..., Browser]):
    shopper = open_browser(PHONE)
    find_the_kettle(shopper)
    shopper.open("/cart/")
    shopper.press("Check out")
    shopper.fill(email="ada@example.com", **ADDRESS)
    shopper.press("Continue to payment method")
    shopper.driver.execute_script("const button = document.querySelector('main form .button--primary'); button.click(); button.click();")
    shopper.wait_until_shown("Waiting for your payment")
    paying = shopper.path
    end = "return document.querySelector('main .button--wide').getBoundingClientRect().bottom + scrollY"
    assert shopper.driver.execute_script(end) < PHONE[1], "the button is not on the first screen"
    number = shopper.find("#pay-order").text

    shopper.driver.back()
    shopper.wait_until_shown("Waiting for your payment")
    assert shopper.path == paying
    shopper.open("/cart/")
    assert "Your cart is empty." in shopper.text()
    assert f"{number} waits for your payment." in shopper.text()
    shopper.check_the_page()
    shopper.open("/")
    shopper.press("Pay now", within="body")
    assert shopper.path == paying

    be_offline(shopper, True)
    shopper.wait_until_shown("No connection to the shop")
    be_offline(shopper, False)
    wait_for("the connection", lambda: not shopper.driver.find_elements(By.ID, "trouble"))
    shopper.driver.get_log("browser")  # the lost requests are in it

    shopper.press("Pay the exact amount")
    shopper.wait_until_shown("What happens next", seconds=90)
    assert shopper.driver.title == "Paid · Cryptons"
    assert "pay-paid" in look(lambda: shopper.find("link[rel=icon]").get_attribute("href") or "")
    shopper.check_the_page()
    shopper.press("Print a receipt")
    assert f"Receipt for {number.lower()[:5]}" in shopper.heading()
    shopper.check_the_page()
    shopper.open("/")
    assert "waits for your payment" not in shopper.text()
    shopper.open("/account/orders/")
    assert number.removeprefix("Order ") in shopper.text()


def test_without_javascript_what_the_box_of_the_cart_shows_is_ordered(open_browser: Callable[..., Browser]):
    shopper = open_browser(DESKTOP, javascript=False)
    find_the_kettle(shopper)
    shopper.find(BOX).clear()
    shopper.find(BOX).send_keys("999")
    shopper.press("Check out")
    assert "Your cart still has 1." in shopper.find(".field__error").text
    shopper.find(BOX).clear()
    shopper.find(BOX).send_keys("3")
    shopper.press("Check out")
    assert "3 × Copper Kettle" in shopper.text()
    assert shopper.driver.find_elements(By.CSS_SELECTOR, "[name=email]")
