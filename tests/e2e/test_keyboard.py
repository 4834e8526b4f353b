"""The whole way without a mouse: each stop of Tab is visible, and the focus is never lost."""

from collections.abc import Callable

from selenium.webdriver.common.keys import Keys

from tests.e2e.browser import DESKTOP, Browser, look
from tests.e2e.test_buying import ADDRESS
from tests.running import wait_for

MOST_STOPS = 60
STOP = """
    const stop = document.activeElement, ring = (part) => getComputedStyle(part).outlineStyle !== "none";
    const box = stop.getBoundingClientRect();
    let part = stop, shown = false;
    for (let depth = 0; part && depth < 4; depth += 1, part = part.parentElement) shown ||= ring(part);
    return {
      name: (stop.getAttribute("aria-label") || stop.labels?.[0]?.textContent || stop.textContent).trim().replace(/\\s+/g, " "),
      id: stop.id, tag: stop.tagName, type: stop.type || "", isShown: shown,
      isInView: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    };
"""

NOTE_COPIED = """
    const note = () => { window.saidCopied ||= document.activeElement.textContent.trim() === "Copied"; };
    new MutationObserver(note).observe(document.activeElement, {childList: true, characterData: true, subtree: true});
"""
"""The button says so for two seconds only."""


def press(shopper: Browser, *keys: str) -> None:
    look(lambda: shopper.driver.switch_to.active_element.send_keys(*keys))


def tab_to(shopper: Browser, name: str) -> None:
    """Press Tab until the stop has this name. Every stop on the way is in view and has a ring around it."""
    seen = []
    for _ in range(MOST_STOPS):
        press(shopper, Keys.TAB)
        stop = shopper.driver.execute_script(STOP)
        assert stop["tag"] != "BODY", f"the focus was lost after {seen}"
        assert stop["isShown"], f"nothing shows that {stop['name']!r} has the focus on {shopper.path}"
        assert stop["isInView"], f"{stop['name']!r} has the focus out of view on {shopper.path}"
        seen.append(stop["name"])
        if name in stop["name"]:
            return
    raise AssertionError(f"{name!r} is not among {seen}")


def enter(shopper: Browser, words: str) -> None:
    """Press Enter where it leads to another page."""
    here = shopper.path
    press(shopper, Keys.ENTER)
    wait_for(f"the page after {words!r}", lambda: shopper.path != here)
    shopper.wait_until_shown(words)


def test_a_buyer_with_a_keyboard_comes_from_home_to_the_pay_page(open_browser: Callable[..., Browser]):
    shopper = open_browser(DESKTOP)
    shopper.open("/")
    tab_to(shopper, "Skip to content")
    tab_to(shopper, "Search")
    press(shopper, "kettel")
    enter(shopper, "Search results")
    tab_to(shopper, "Skip to content")
    press(shopper, Keys.ENTER)
    tab_to(shopper, "Copper Kettle")
    enter(shopper, "Add to cart")
    tab_to(shopper, "Add to cart")
    press(shopper, Keys.ENTER)
    shopper.wait_until_shown("Copper Kettle is in your cart")
    tab_to(shopper, "See your cart")
    enter(shopper, "Your cart")

    tab_to(shopper, "One more")
    press(shopper, Keys.SPACE)
    shopper.wait_until_shown("$178.00")
    assert shopper.driver.execute_script(STOP)["name"] == "One more"
    tab_to(shopper, "Check out")
    enter(shopper, "Shipping address")

    tab_to(shopper, "Continue to payment method")
    press(shopper, Keys.ENTER)
    shopper.wait_until_shown("Please check the marked fields.")
    wait_for("the first wrong field to have the focus", lambda: shopper.driver.execute_script(STOP)["name"] == "Email")
    press(shopper, "keys@example.com")
    for name, words in (("Full name", "name"), ("Country", ""), ("Street", "street"), ("Postal", "postalCode"), ("City", "city")):
        tab_to(shopper, name)
        press(shopper, ADDRESS[words] if words else "Germany")
    tab_to(shopper, "Continue to payment method")
    enter(shopper, "Choose how to pay")

    tab_to(shopper, "Bitcoin")
    press(shopper, Keys.ARROW_DOWN)
    tab_to(shopper, "Order and pay")
    enter(shopper, "Waiting for your payment")
    tab_to(shopper, "Copy the amount")
    shopper.driver.execute_script(NOTE_COPIED)
    press(shopper, Keys.ENTER, Keys.ENTER)
    wait_for("the button to say that it copied", lambda: shopper.driver.execute_script("return window.saidCopied"))
    its_words = "return document.activeElement.textContent.trim()"
    wait_for("the button's own words", lambda: shopper.driver.execute_script(its_words) == "Copy")
    tab_to(shopper, "Pay the exact amount")
    shopper.check_the_page()
