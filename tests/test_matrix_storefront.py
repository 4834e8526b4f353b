"""Every page outside of the admin × everybody: what is somebody's own is shown to nobody else, and refused forms change nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.signing import dumps
from django.urls import reverse

from accounts.links import Kind, make_link
from reviews.asking import SALT
from shop.tests.paying import invoice_of
from tests.matrix.answers import FACTOR, LOGIN, YES, check, meaning, skip_pages
from tests.matrix.people import BUYER, EVERYBODY, GUEST, LOGGED_IN, NOBODY, People
from tests.matrix.routes import pages
from tests.matrix.rows import Rows

pytestmark = pytest.mark.django_db(transaction=True)

HIDDEN, READ, SEND, BOTH = "404", ("GET",), ("POST",), ("GET", "POST")
FORM = {"network": "BTC", "play": "exact", "first_name": "Eve", "number": "none"}


@dataclass(frozen=True)
class Page:
    """To whom it is shown, and what all others are told."""

    who: set[str]
    row: str = ""
    methods: tuple[str, ...] = READ
    refusal: str = LOGIN
    answer: str = YES


ALL, SENT_BY_ALL, FORM_OF_ALL = [Page(EVERYBODY)], [Page(EVERYBODY, methods=SEND)], [Page(EVERYBODY, methods=BOTH)]
OWN, OWN_FORM = [Page(LOGGED_IN)], [Page(LOGGED_IN, methods=BOTH)]


def of_an_order(*methods: str) -> list[Page]:
    """Its buyer sees it, with an account or in the browser that ordered it, and who has its link; nobody by its number alone."""
    owners = {"buyer's number": BUYER, "guest's number": GUEST, "number of a closed account": NOBODY, "key": EVERYBODY}
    return [Page(who, row, methods, refusal=HIDDEN) for row, who in owners.items()]


PAGES = {
    "favicon.ico": ALL,
    "healthz": ALL,
    "media/<path:path>": [Page(EVERYBODY, "picture")],
    "admin/login/": [Page(NOBODY)],
    "admin/password_change/": ALL,
    "accounts:login": FORM_OF_ALL,
    "accounts:login_code": [Page(NOBODY, methods=BOTH)],
    "accounts:register": FORM_OF_ALL,
    "accounts:forgotten": FORM_OF_ALL,
    "accounts:forgotten_sent": ALL,
    "accounts:link": [Page(NOBODY, methods=BOTH, refusal=HIDDEN)],
    "accounts:open_link": [Page(EVERYBODY, "link", answer=YES), Page(NOBODY, "no link", refusal=HIDDEN)],
    "accounts:profile": OWN_FORM,
    "accounts:address": OWN_FORM,
    "accounts:email": OWN_FORM,
    "accounts:send_verification": [Page(LOGGED_IN, methods=SEND)],
    "accounts:password": OWN_FORM,
    "accounts:verification": OWN_FORM,
    "accounts:set_up_second_factor": [Page(LOGGED_IN, methods=BOTH, answer=FACTOR)],
    "accounts:second_factor": OWN_FORM,
    "accounts:ask_again": OWN_FORM,
    "payments:refund": [Page(EVERYBODY, "refund link", BOTH), Page(NOBODY, "invoice", BOTH, refusal=HIDDEN)],
    "reviews:list": [Page(EVERYBODY, "product")],
    "reviews:helpful": [Page(LOGGED_IN, "review", SEND)],
    "reviews:write": [Page(LOGGED_IN, "product", BOTH)],
    "reviews:delete": [Page(LOGGED_IN, "product", SEND)],
    "reviews:no_mails": [Page(EVERYBODY, "stop link", BOTH), Page(NOBODY, "no link", BOTH, refusal=HIDDEN)],
    "shop:home": ALL,
    "shop:category": [Page(EVERYBODY, "category")],
    "shop:product": [Page(EVERYBODY, "product")],
    "shop:search": ALL,
    "shop:^products/?$": ALL,
    "shop:suggest": ALL,
    "shop:page": [Page(EVERYBODY, "published page"), Page(NOBODY, "draft of a page", refusal=HIDDEN)],
    "shop:contact": FORM_OF_ALL,
    "shop:cart": FORM_OF_ALL,
    "shop:cart_add": SENT_BY_ALL,
    "shop:cart_voucher": SENT_BY_ALL,
    "shop:checkout": FORM_OF_ALL,
    "shop:checkout_payment": FORM_OF_ALL,
    "shop:pay": [Page(EVERYBODY, "invoice")],
    "shop:pay_return": [Page(EVERYBODY, "return token"), Page(NOBODY, "no link", refusal=HIDDEN)],
    "shop:pay_status": [Page(EVERYBODY, "invoice")],
    "shop:pay_stream": [Page(EVERYBODY, "invoice")],
    "shop:sandbox_play": [Page(EVERYBODY, "invoice", SEND)],
    "shop:quote": [Page(BUYER, "buyer's invoice", BOTH, refusal="403"), Page(GUEST, "guest's invoice", BOTH, refusal="403")],
    "shop:find_order": SENT_BY_ALL,
    "shop:orders": ALL,
    "shop:order": of_an_order("GET"),
    "shop:order_stream": of_an_order("GET"),
    "shop:order_pay": of_an_order("GET"),
    "shop:receipt": of_an_order("GET"),
    "shop:order_cancel": of_an_order("GET", "POST"),
    "shop:request_refund": of_an_order("GET", "POST"),
    "shop:order_again": of_an_order("POST"),
}
ELSEWHERE = {"accounts:logout"}
"""Ends the session (accounts/tests/test_account_pages.py)."""
PLAIN = {"favicon.ico", "healthz", "admin/login/", "admin/password_change/", "shop:^products/?$"}
"""Answer a POST as a GET, and read nothing of it."""
ADDRESSES = {"favicon.ico": "/favicon.ico", "healthz": "/healthz", "shop:^products/?$": "/products"}


def line(page: Page) -> dict[str, str]:
    return {person: page.answer if person in page.who else page.refusal for person in sorted(EVERYBODY)}


def test_a_new_page_needs_a_line_in_the_table():
    assert {name for name in pages() if not name.startswith(("admin:", "exceptions:", "opening:"))} == set(PAGES) | ELSEWHERE


def test_exactly_those_of_the_table_see_each_page(settings, monkeypatch):
    settings.STAFF_TWO_FACTOR, settings.SANDBOX, settings.VERIFICATION_PROVIDER = "required", True, "manual"
    settings.STAFF_EMAIL = ["grace@shop.example"]
    Path(settings.MEDIA_ROOT).mkdir()
    (Path(settings.MEDIA_ROOT) / "cup.webp").write_bytes(b"RIFF")
    people = People()
    rows = Rows(people)
    people.remember_orders("guest", rows.guests)
    ids = {
        "picture": "cup.webp",
        "link": make_link(people.users["buyer"], Kind.VERIFY, people.users["buyer"].email).rstrip("/").rpartition("/")[2],
        "no link": "x" * 64,
        "category": rows.product.category.slug,
        "product": rows.product.slug,
        "published page": rows.page.slug,
        "draft of a page": rows.fresh("settings_contentpage").slug,
        "invoice": rows.invoice.pk,
        "return token": rows.return_token(),
        "review": rows.review.pk,
        "stop link": dumps(str(people.users["buyer"].pk), salt=SALT),
        "refund link": rows.refund_path().rstrip("/").rpartition("/")[2],
        "buyer's invoice": invoice_of(rows.order).pk,
        "guest's invoice": invoice_of(rows.guests).pk,
        "buyer's number": rows.order.number,
        "guest's number": rows.guests.number,
        "number of a closed account": rows.closed.number,
        "key": rows.linked.access_token,
    }
    cells = {
        f"{method} {name} {page.row}".strip(): (method, _address(name, ids.get(page.row)), page)
        for name, shown in PAGES.items()
        for page in shown
        for method in page.methods
    }
    skip_pages(monkeypatch)

    def ask(title: str, person: str) -> Any:
        method, address, _page = cells[title]
        return people.browser(person).generic(method, address, *_body(method, rows), headers={"Sec-Fetch-Site": "same-origin"})

    check({title: line(page) for title, (_method, _address, page) in cells.items()}, ask)
    only_shown = {name: shown[0] for name, shown in PAGES.items() if "POST" not in shown[0].methods}
    sent = {name: meaning(people.browser("superuser").post(_address(name, ids.get(page.row)))) for name, page in only_shown.items()}
    assert {name for name, answer in sent.items() if answer != "405"} == PLAIN


def _address(name: str, row: Any) -> str:
    if name in ADDRESSES:
        return ADDRESSES[name]
    if ":" not in name or name.startswith("media/"):
        return "/" + name.replace("<path:path>", str(row))
    return reverse(name, args=[] if row is None else [row])


def _body(method: str, rows: Rows) -> tuple[str, str]:
    form = {**FORM, "product": str(rows.product.pk), "quantity": "1"}
    return (urlencode(form), "application/x-www-form-urlencoded") if method == "POST" else ("", "")
