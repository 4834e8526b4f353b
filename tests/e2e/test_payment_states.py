"""What a buyer sees on the pay page while it happens."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.e2e.browser import DESKTOP, PHONE, Browser, look
from tests.e2e.test_buying import check_out, take_the_kettle
from tests.running import LONGEST, Shop, wait_for


def stay_on_the_page(buyer: Browser) -> None:
    buyer.driver.execute_script("window.isTheSamePage = true")


def ask_only_when_told(buyer: Browser) -> None:
    """Stop the page's polling, so that it changes only when its stream of events says that there is something new."""
    stop = "document.addEventListener('htmx:configRequest', (event) => { if (!event.detail.triggeringEvent) event.preventDefault(); })"
    buyer.driver.execute_script(stop)


def wait_until_it_says(buyer: Browser, words: str) -> None:
    buyer.wait_until_shown(words, seconds=90)
    assert buyer.driver.execute_script("return window.isTheSamePage"), "the page was loaded again"
    buyer.check_the_page()


def let_quotes_expire(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database, database:
        database.execute("update payments_invoice set expires_at = datetime('now'), version = version + 1 where status = 'new'")


def test_a_buyer_who_paid_too_little_pays_the_rest(shop: Shop, open_browser: Callable[..., Browser]):
    buyer = open_browser(PHONE)
    take_the_kettle(buyer)
    check_out(buyer, "rest@example.com")
    buyer.press("Pay too little")
    stay_on_the_page(buyer)
    ask_only_when_told(buyer)
    wait_until_it_says(buyer, "still to pay")
    assert "still to pay" in buyer.driver.title
    assert "$53.40 of $89.00 received (60 %)" in buyer.text()
    assert look(lambda: buyer.find("#pay-amount").text in buyer.heading())
    assert "pay-waiting" in look(lambda: buyer.find("link[rel=icon]").get_attribute("href") or "")
    buyer.press("Pay the exact amount")
    stay_on_the_page(buyer)
    web = wait_for("the web process", lambda: shop.child("web"))
    assert web is not None
    os.kill(web, signal.SIGKILL)  # with it the stream; the page polls until another process answers
    buyer.wait_until_shown("Your payment is complete", seconds=90)
    buyer.driver.get_log("browser")  # of refused connections
    wait_until_it_says(buyer, "Your payment is complete")
    assert "You overpaid" not in buyer.text()
    assert "Paid" in buyer.driver.title


def test_a_buyer_whose_quote_expired_gets_a_fresh_one_and_pays_it(shop: Shop, open_browser: Callable[..., Browser]):
    buyer = open_browser(DESKTOP)
    take_the_kettle(buyer)
    check_out(buyer, "slow@example.com")
    old = look(lambda: buyer.find("#pay-address").text)
    stay_on_the_page(buyer)
    let_quotes_expire(shop)
    wait_until_it_says(buyer, "Please do not send money to this address any more.")
    assert buyer.heading() == "This quote has expired"
    assert "pay-expired" in look(lambda: buyer.find("link[rel=icon]").get_attribute("href") or "")
    assert not buyer.driver.find_elements("css selector", "#pay-address, .pay__code")
    buyer.press("Get a new quote")
    buyer.check_the_page()
    buyer.press("Get a new quote")
    assert buyer.heading() == "Waiting for your payment"
    assert look(lambda: buyer.find("#pay-address").text) != old
    buyer.press("Pay the exact amount")
    stay_on_the_page(buyer)
    wait_until_it_says(buyer, "Your payment is complete")
