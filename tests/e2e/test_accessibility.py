"""Every page of the shop and of the admin, on a phone and on a desktop, light and dark, keeps the rules of WCAG 2.2 AA."""

import itertools
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.accessibility import LOOKS, load_axe, look, violations
from tests.e2e.browser import DESKTOP, Browser, is_gone
from tests.running import ROOT, Shop, wait_for

SEND = """
const forms = [...document.querySelectorAll("main form, #content form")].filter(form => form.method === "post");
HTMLFormElement.prototype.submit.call(forms.at(-1));
"""


HAS_ITS_COLOURS = """
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
return !window.ui || document.documentElement.classList.contains("dark-mode") === dark;
"""
"""Swagger UI's colours follow the device's by a script, which hears of a change a moment later."""

PAGES = "pages.json"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The web server of a shop that has something to show on every page. It has no worker, so nothing moves."""
    verification = {"VERIFICATION_PROVIDER": "manual", "FIELD_ENCRYPTION_KEY": "k" * 32}
    shop = Shop(tmp_path_factory.mktemp("filled"), SANDBOX="true", DJANGO_SETTINGS_MODULE="cryptons.settings", **verification)
    with shop.log.open("ab") as log, (shop.folder / PAGES).open("w") as pages:
        call = partial(subprocess.run, cwd=ROOT, env=shop.environment, stderr=log, check=True)
        call([sys.executable, "manage.py", "prepare"], stdout=log)
        call([sys.executable, "-c", "import django; django.setup(); from tests.e2e import filling; filling.main()"], stdout=pages)
        shop.process = subprocess.Popen([sys.executable, "-m", "cryptons.serving.web"], cwd=ROOT, env=shop.environment, stderr=log)
    wait_for("the web server", lambda: is_open(shop))
    yield shop
    shop.stop()


def is_open(shop: Shop) -> bool:
    try:
        return shop.http.get("/").status_code == 200
    except httpx.TransportError:
        return False


def become(browser: Browser, cookies: dict[str, str]) -> None:
    browser.command("Network.clearBrowserCookies")
    for name, value in cookies.items():
        browser.command("Network.setCookie", name=name, value=value, url=browser.url)


def send_form(browser: Browser) -> None:
    """Send the page's form as it is, without the browser's own check, and wait for the page with its errors."""
    here = browser.find("html")
    browser.driver.execute_script(SEND)
    wait_for("the form's errors", lambda: is_gone(here) and browser.driver.execute_script("return document.readyState") == "complete")


def open_pages(browser: Browser, shop_pages: Any) -> Iterator[tuple[str, Sequence[str]]]:
    """Open one page after the other; yields the name of the one that is open, and how to look at it.

    Each page is looked at in each way; of its further states (a payment's, a language) each is looked at in one way.
    """
    person = None
    known: set[tuple[str, bool]] = set()
    turns = itertools.cycle([look] for look in LOOKS)
    for visit in shop_pages["visits"]:
        if visit["person"] != person:
            person = visit["person"]
            become(browser, shop_pages["people"][person])
        browser.open(visit["path"])
        if visit["page"] == "api_docs":
            wait_for("Swagger UI", lambda: browser.driver.find_elements("css selector", ".opblock"))
        assert browser.path.partition("?")[0] == visit["lands"], f"{visit} led to {browser.path}"
        if visit["send"]:
            send_form(browser)
        page = (visit["page"], visit["send"])
        yield (f"{visit['page']} {visit['name']} as {person}: {visit['path']}", next(turns) if page in known else list(LOOKS))
        known.add(page)
    frame = browser.command("Page.getFrameTree")["frameTree"]["frame"]["id"]
    for name, html in shop_pages["texts"].items():
        browser.command("Page.setDocumentContent", frameId=frame, html=html)
        yield name, list(LOOKS)


def test_every_page_keeps_the_rules_of_wcag_on_phone_and_desktop_light_and_dark(shop: Shop, open_browser: Callable[..., Browser]):
    shop_pages = json.loads((shop.folder / PAGES).read_text())
    assert shop_pages["missing"] == [], "tests/e2e/filling.py visits each page, or says why it is none"
    browser = open_browser(DESKTOP)
    load_axe(browser)
    found: dict[str, list[str]] = defaultdict(list)
    for page, looks in open_pages(browser, shop_pages):
        for name in looks:
            look(browser, name)
            wait_for("the page's colours", lambda: browser.driver.execute_script(HAS_ITS_COLOURS))
            for violation in violations(browser):
                found[violation].append(f"{page} ({name})")
            wide = browser.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 0:
                found[f"{wide} pixels wider than the screen"].append(f"{page} ({name})")
    assert not found, "\n".join(f"{violation}\n    {pages[0]}, {len(pages)} in all" for violation, pages in found.items())
