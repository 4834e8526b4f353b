"""Staff of a shop that requires the second factor, and a packer who may only pack."""

import base64
import hashlib
import hmac
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from django.core.signing import JSONSerializer, TimestampSigner
from selenium.webdriver.support.ui import Select

from tests.e2e.browser import DESKTOP, PHONE, Browser
from tests.e2e.test_accounts import PASSWORD, log_in, register
from tests.e2e.test_buying import ADDRESS
from tests.running import LONGEST, STAFF, Shop, wait_for

SECONDS = 30
"""For which an authenticator app shows a code."""
WALLET = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
"""The example of BIP 173."""


@pytest.fixture
def strict_shop(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with the other's data, which saves the work of a first start. Staff need a second factor, and large payouts two people."""
    strict = Shop(tmp_path_factory.mktemp("strict"), FOLLOW_SECONDS="1", STAFF_TWO_FACTOR="required", PAYOUT_SECOND_PERSON_ABOVE="10")
    shutil.copytree(shop.data, strict.data, ignore=shutil.ignore_patterns("*.sqlite3*", "cache", "mail", "queue", "search"))
    name = "cryptons.sqlite3"
    with closing(sqlite3.connect(shop.data / name)) as theirs, closing(sqlite3.connect(strict.data / name)) as ours:
        theirs.backup(ours)
    strict.start()
    yield strict
    strict.stop()


def app_code(secret: str, *, steps_ahead: int = 0) -> str:
    """Return what an authenticator app shows (RFC 6238)."""
    step = int(time.time()) // SECONDS + steps_ahead
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    number = int.from_bytes(digest[digest[-1] & 15 :][:4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def set_up_second_factor(person: Browser, password: str) -> tuple[str, list[str]]:
    """Return the app's secret and the recovery codes."""
    assert person.heading() == "Second factor"
    person.check_the_page()
    person.press("Set it up")
    person.check_the_page()
    secret = person.find(".second-factor__key").text.replace(" ", "")
    person.fill(password=password, code="000000")
    person.press("Switch it on")
    assert "This code is wrong." in person.find(".field__error").text
    person.check_the_page()
    person.fill(password=password, code=app_code(secret))
    person.press("Switch it on")
    assert person.heading() == "Your recovery codes"
    person.check_the_page()
    codes = [code.text for code in person.driver.find_elements("css selector", ".second-factor__codes code")]
    person.press("I have kept them")
    return secret, codes


def let_the_code_grow_old(shop: Shop) -> None:
    """Let each session's last code be from long ago."""
    signer = TimestampSigner(
        key=(shop.data / "secret_key").read_text().strip(), salt="django.contrib.sessions.SessionStore", fallback_keys=[]
    )
    with closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database, database:
        for session, data in database.execute("select session_key, session_data from django_session").fetchall():
            values = signer.unsign_object(data, serializer=JSONSerializer)
            if "second_factor_at" in values:
                old = signer.sign_object({**values, "second_factor_at": 1}, serializer=JSONSerializer, compress=True)
                database.execute("update django_session set session_data = ? where session_key = ?", (old, session))


def give_rights(owner: Browser, username: str, group: str) -> None:
    """Make a user one of staff, on the user's page in the admin."""
    owner.open(f"/admin/accounts/user/?q={username}")
    owner.find("#result_list tbody th a").click()
    owner.wait_until_shown("Permissions")
    owner.find("[name=is_staff]").click()
    Select(owner.find("#id_groups_from")).select_by_visible_text(group)
    owner.find("#id_groups_add").click()
    owner.find("[name=_save]").click()
    owner.wait_until_shown("was changed successfully")


def buy(shop: Shop, email: str, play: str) -> str:
    """Return the number of a guest's order with this payment."""
    kettle = re.search('name="product" value="([^"]+)"', shop.http.get("/p/copper-kettle/").text)
    assert kettle
    items = [{"productId": kettle[1], "quantity": 1}]
    body = {"cryptocurrency": "BTC", "items": items, "shippingAddress": ADDRESS, "email": email}
    answer = shop.http.post("/api/orders", json=body)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    if play:
        shop.http.post("/api/sandbox/pay", json={"invoiceId": data["payment"]["invoiceId"], "play": play}).raise_for_status()
    return str(data["orderNumber"])


def open_order(staff: Browser, number: str) -> None:
    staff.open(f"/admin/shop/order/?q={number}")
    staff.find("#result_list tbody th a").click()
    staff.wait_until_shown("Timeline")


def log_in_with_codes(owner: Browser, secret: str, codes: list[str]) -> None:
    """By the app's code, then by the first recovery code."""
    owner.press("Log out")
    log_in(owner, STAFF["username"], STAFF["password"])
    assert owner.heading() == "Your code"
    owner.check_the_page()
    owner.fill(code=codes[0][:-1])
    owner.press("Log in")
    assert "This code is wrong or was used before." in owner.text()
    owner.fill(code=app_code(secret, steps_ahead=1))
    owner.press("Log in")
    assert owner.heading() == "Your profile"
    owner.press("Log out")
    log_in(owner, STAFF["username"], STAFF["password"])
    owner.fill(code=codes[0].lower())
    owner.press("Log in")
    assert owner.heading() == "Your profile"
    owner.open("/account/second-factor/")
    assert f"You have {len(codes) - 1} recovery codes left." in owner.text()


def draft_a_refund(owner: Browser, number: str) -> None:
    open_order(owner, number)
    wait_for("the payment", lambda: owner.driver.refresh() or "Overpaid" in owner.text())
    owner.press("Refund the excess", within="body")
    owner.check_the_page()
    owner.find("[name=reason]").send_keys("The buyer sent too much")
    owner.press("Create draft", within="body")
    owner.wait_until_shown("The payout is drafted.")
    owner.check_the_page()


def approve_the_payout(second: Browser) -> None:
    second.open("/admin/")
    second.check_the_page()
    second.driver.find_element("partial link text", "Payouts to approve, sign or send").click()
    second.wait_until_shown("Payouts that wait for you (1)")
    second.check_the_page()
    second.find("#content a[href*='/payments/payout/'][href$='/change/']").click()
    second.wait_until_shown("needs two people")
    second.check_the_page()
    second.press("Approve", within="body")
    second.wait_until_shown("Send this money?")
    assert WALLET in second.text()
    second.check_the_page()
    second.press("Approve", within="body//form")
    second.wait_until_shown("You approved this payout.")
    wait_for("the payout", lambda: second.driver.refresh() or "Sent" in second.text())
    second.check_the_page()


def test_staff_set_up_the_second_factor_and_pay_out_with_a_second_person(strict_shop: Shop, open_browser: Callable[..., Browser]):
    number = buy(strict_shop, "over@example.com", "over")
    register(strict_shop, "second")
    owner = open_browser(DESKTOP)
    owner.url = strict_shop.url
    log_in(owner, STAFF["username"], STAFF["password"], at="/admin/")
    owner.open("/admin/shop/order/")
    assert "this is the only staff page that you can open" in owner.text()
    secret, codes = set_up_second_factor(owner, STAFF["password"])
    log_in_with_codes(owner, secret, codes)

    let_the_code_grow_old(strict_shop)
    owner.open("/admin/accounts/user/add/")
    assert owner.heading() == "Your code, please"
    owner.check_the_page()
    owner.fill(code=codes[0])
    owner.press("Continue")
    assert "This code is wrong or was used before." in owner.text()
    owner.fill(code=codes[1])
    owner.press("Continue")
    assert owner.path == "/admin/accounts/user/add/"
    give_rights(owner, "second", "Payments")

    draft_a_refund(owner, number)
    let_the_code_grow_old(strict_shop)
    owner.press("Set destination", within="body")
    assert owner.heading() == "Your code, please"
    owner.fill(code=codes[2])
    owner.press("Continue")
    owner.find("[name=destination]").send_keys(WALLET)
    owner.press("Set destination", within="body//form")
    owner.wait_until_shown("The destination is set.")
    assert "A second person must approve a payout of this value" in owner.text()
    assert not owner.driver.find_elements("link text", "Approve")
    owner.check_the_page()

    second = open_browser(DESKTOP)
    second.url = strict_shop.url
    log_in(second, "second", PASSWORD)
    set_up_second_factor(second, PASSWORD)
    approve_the_payout(second)


def test_a_packer_ships_what_is_paid_and_may_do_nothing_else(shop: Shop, open_browser: Callable[..., Browser]):
    register(shop, "packer")
    paid, unpaid = buy(shop, "packed@example.com", "exact"), buy(shop, "unpaid@example.com", "")
    owner = open_browser(DESKTOP)
    log_in(owner, STAFF["username"], STAFF["password"])
    give_rights(owner, "packer", "Packer")

    packer = open_browser(PHONE)
    log_in(packer, "packer", PASSWORD, at="/admin/")
    wait_for("the payment", lambda: packer.open("/admin/shop/order/?work=ship") or paid in packer.text())
    packer.open("/admin/")
    assert "Payments to decide about" not in packer.text()
    packer.check_the_page()
    packer.driver.find_element("partial link text", "Orders to ship").click()
    packer.wait_until_shown(paid)
    assert unpaid not in packer.find("#result_list").text
    packer.check_the_page()
    open_order(packer, paid)
    packer.check_the_page()
    packer.press("Mark as shipped", within="body")
    packer.wait_until_shown("Mark this order as shipped?")
    assert not packer.driver.find_elements("css selector", "[name=reason]")
    packer.check_the_page()
    packer.press("Mark as shipped", within="body//form")
    packer.wait_until_shown(f"1 order shipped: {paid}")
    packer.check_the_page()

    open_order(packer, unpaid)
    assert not packer.driver.find_elements("link text", "Mark as shipped")
    packer.press("Process without payment", within="body")
    packer.wait_until_shown("although its payment has not settled?")
    packer.check_the_page()
    packer.find("[name=reason]").send_keys(" ")
    packer.driver.execute_script("document.querySelector('#content form').noValidate = true")
    packer.press("Process without payment", within="body//form")
    assert "This field is required." in packer.text()
    packer.find("[name=reason]").send_keys("Paid in cash at the market")
    packer.press("Process without payment", within="body//form")
    packer.wait_until_shown(f"1 order in processing: {unpaid}")
    assert "Paid in cash at the market" in packer.text()

    for address in ("/admin/accounts/user/", "/admin/payments/payout/", "/admin/exceptions/", "/admin/auth/group/"):
        packer.open(address)
        assert "You are not allowed to see this page" in packer.text(), address
        assert "Back to the admin's home" in packer.text()
        packer.check_the_page()
    packer.driver.find_element("link text", "Back to the admin's home").click()
    wait_for("the admin's home", lambda: packer.path == "/admin/")
