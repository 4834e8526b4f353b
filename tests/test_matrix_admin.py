"""Every page of the admin × everybody: exactly those of the table get in, and see no action that is not theirs.

Whom docs/staff.md does not name is refused: to the login who is no staff, to the second factor who lacks one, by 403 all others.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.urls import reverse

from accounts.verification.models import Document
from shop.settings.models import ONLY as SETTINGS
from tests.matrix.answers import FACTOR, LOGIN, NEW_CODE, YES, check, meaning, skip_pages
from tests.matrix.people import (
    BOOKS,
    CATALOGUE,
    EVERYBODY,
    GOODS,
    GROUPS,
    GUEST,
    NO_FACTOR,
    NODES,
    OLD_CODE,
    ORDERS,
    OWNER,
    READS_MONEY,
    ROOT,
    STAFF,
    SUPPORT,
    People,
    is_here,
)
from tests.matrix.routes import pages
from tests.matrix.rows import Rows
from tests.matrix.state import tables

pytestmark = pytest.mark.django_db(transaction=True)

COMING = EVERYBODY - GUEST
"""To the admin a guest is anonymous."""
DELETABLE = (
    "accounts_apikey",
    "accounts_user",
    "accounts_user of staff",
    "auth_group",
    "events_webhookendpoint",
    "reviews_review",
    "settings_contentpage",
    "shop_category",
    "shop_product",
    "shop_voucher",
    "verification_sanctionshit",
    "verification_verification",
)
AUTOCOMPLETE = {"app_label": "shop", "model_name": "product", "field_name": "category", "term": "K"}
REASON = {"reason": "They asked for it.", "version": "1"}
NOTHING_DONE = ("No action selected.", "Items must be selected")
"""How the admin begins to say that a press had no effect; it is a redirect as after an action."""


@dataclass(frozen=True)
class Rights:
    """Who may do what with the rows of a model."""

    view: set[str]
    add: set[str] = field(default_factory=set)
    change: set[str] = field(default_factory=set)
    delete: set[str] = field(default_factory=set)
    asks: bool = False
    """For a new code, before one of its rows is added, changed or deleted."""


MODELS = {
    "accounts_apikey": Rights(OWNER, OWNER, delete=OWNER, asks=True),
    "accounts_user": Rights(SUPPORT, OWNER, OWNER, OWNER, asks=True),
    "accounts_user of staff": Rights(SUPPORT, OWNER, ROOT, ROOT, asks=True),
    "audit_entry": Rights(OWNER),
    "auth_group": Rights(OWNER, ROOT, ROOT, ROOT, asks=True),
    "events_webhookdelivery": Rights(OWNER),
    "events_webhookendpoint": Rights(OWNER, OWNER, OWNER, OWNER),
    "mail_mail": Rights(SUPPORT, change=SUPPORT),
    "payments_alert": Rights(NODES),
    "payments_cursor": Rights(NODES),
    "payments_invoice": Rights(READS_MONEY),
    "payments_payment": Rights(READS_MONEY),
    "payments_payout": Rights(BOOKS),
    "payments_rate": Rights(BOOKS),
    "reviews_review": Rights(CATALOGUE, change=CATALOGUE, delete=CATALOGUE),
    "settings_contentpage": Rights(OWNER, OWNER, OWNER, OWNER),
    "settings_shopsettings": Rights(OWNER, change=OWNER),
    "shop_category": Rights(GOODS, CATALOGUE, CATALOGUE, CATALOGUE),
    "shop_order": Rights(ORDERS | BOOKS, change=ORDERS),
    "shop_product": Rights(GOODS, CATALOGUE, CATALOGUE, CATALOGUE),
    "shop_voucher": Rights(CATALOGUE, CATALOGUE, CATALOGUE, CATALOGUE),
    "verification_sanctionshit": Rights(OWNER, delete=OWNER),
    "verification_verification": Rights(OWNER, delete=OWNER),
}
ACTIONS = {
    "accounts_user": {"log_out_everywhere": OWNER, "reset_second_factor": ROOT, "delete_selected": OWNER},
    "auth_group": {"delete_selected": ROOT},
    "events_webhookdelivery": {"redeliver": OWNER},
    "mail_mail": {"send_again": SUPPORT},
    "reviews_review": dict.fromkeys(("approve_selected", "reject_selected", "delete_selected"), CATALOGUE),
    "shop_category": {"delete_selected": CATALOGUE},
    "shop_order": dict.fromkeys(("ship_selected", "deliver_selected", "cancel_selected", "release_selected"), ORDERS),
    "shop_product": dict.fromkeys(("delete_selected", "list_products", "unlist_products"), CATALOGUE),
    "shop_voucher": {"delete_selected": CATALOGUE},
}
"""What the menu of each list offers to whom. The other lists have none."""


@dataclass(frozen=True)
class Page:
    who: set[str]
    row: str = ""
    names: tuple[str, ...] = ()
    """The last part of the address, one after the other; only the first is also read, because one guard is for all."""
    methods: tuple[str, ...] = ("GET", "POST")
    asks: tuple[str, ...] = ()
    """Those of the names that ask for a new code; one without names asks if this is not empty."""
    refusal: str = "403"


READ, SEND, ANY = ("GET",), ("POST",), ("",)
MONEY_LEAVES = ("destination", "approve", "sign", "again", "fee", "hand")
APPS = {
    "accounts": SUPPORT,
    "audit": OWNER,
    "auth": OWNER,
    "events": OWNER,
    "mail": SUPPORT,
    "payments": READS_MONEY,
    "reviews": CATALOGUE,
    "settings": OWNER,
    "shop": GOODS | ORDERS | BOOKS,
    "verification": OWNER,
}
PAGES = {
    "admin:index": [Page(STAFF, methods=READ)],
    "admin:jsi18n": [Page(STAFF, methods=READ)],
    "admin:password_change_done": [Page(STAFF, methods=READ)],
    "admin:autocomplete": [Page(GOODS, methods=READ)],
    "admin:app_list": [Page(who, names=(app,), methods=READ, refusal="404") for app, who in APPS.items()],
    "admin:view_on_site": [Page(STAFF, row="type of product", names=("product",), methods=READ)],
    "admin:audit_entry_export": [Page(OWNER, methods=READ)],
    "admin:auth_user_password_change": [Page(OWNER, row="accounts_user", asks=ANY), Page(ROOT, row="accounts_user of staff", asks=ANY)],
    "admin:events_webhookendpoint_act": [Page(OWNER, row="events_webhookendpoint", names=("test", "rotate", "redeliver"))],
    "admin:payments_channels": [Page(NODES, methods=READ)],
    "admin:payments_nodes": [Page(NODES, methods=READ)],
    "admin:payments_invoice_ask": [Page(READS_MONEY, row="payments_invoice")],
    "admin:payments_invoice_decide": [Page(NODES, row="payments_invoice", names=("accept", "keep", "close", "put-back", "take-back"))],
    "admin:payments_payment_export": [Page(READS_MONEY, methods=READ)],
    "admin:payments_payout_act": [Page(NODES, row="payments_payout", names=(*MONEY_LEAVES, "withdraw"), asks=MONEY_LEAVES)],
    "admin:payments_payout_draft": [Page(NODES, row="payments_invoice", names=("excess", "late", "refund"))],
    "admin:payments_payout_psbt": [Page(NODES, row="payout to sign", methods=READ)],
    "admin:reviews_review_act": [Page(CATALOGUE, row="reviews_review", names=("approve", "reject"), methods=SEND)],
    "admin:settings_contentpage_preview": [Page(OWNER, row="settings_contentpage", methods=READ)],
    "admin:settings_contentpage_version": [Page(OWNER, row="published page", names=("1",))],
    "admin:shop_order_act": [Page(ORDERS, row="shop_order", names=("ship", "deliver", "release", "process", "cancel"))],
    "admin:shop_order_figures": [Page(ORDERS | BOOKS, methods=READ)],
    "admin:shop_product_demo": [Page(CATALOGUE)],
    "admin:verification_sanctionshit_act": [Page(OWNER, row="verification_sanctionshit", names=("clear", "restore"))],
    "admin:verification_verification_act": [Page(OWNER, row="verification_verification", names=("approve", "reject", "refuse"))],
    "admin:verification_verification_document": [Page(OWNER, row="verification_verification", names=("identity document",), methods=READ)],
    "opening:steps": [Page(OWNER, methods=READ)],
    "exceptions:queue": [Page(READS_MONEY, methods=READ)],
    "exceptions:ask": [Page(NODES, row="payments_invoice")],
    "exceptions:alert_close": [Page(NODES, row="payments_alert", methods=SEND)],
    "exceptions:alert_open": [Page(NODES, row="payments_alert", methods=SEND)],
}
ELSEWHERE = {"admin:login", "admin:password_change", "admin:logout"}
"""Two of them are pages of accounts, and the last ends the session (accounts/tests/test_account_pages.py)."""
OF_MODELS = ("changelist", "add", "history", "delete", "change")


def refusal(person: str, others: str) -> str:
    return others if person in STAFF else FACTOR if person in NO_FACTOR else LOGIN


def line(who: set[str], *, asks: bool = False, others: str = "403") -> dict[str, str]:
    """Say what each person is told."""
    allowed = {person: NEW_CODE if asks and person in OLD_CODE else YES for person in who}
    asking = COMING if asks else COMING - OLD_CODE
    return {person: allowed.get(person) or refusal(person, others) for person in sorted(asking)}


class Admin:
    """Each page of the admin with the row that it is about, and what everybody is told there."""

    def __init__(self) -> None:
        self.people = People()
        rows = self.rows = Rows(self.people)
        self.ids: dict[str, Any] = {name: rows.fresh(name).pk for name in DELETABLE} | {
            "audit_entry": rows.entry.pk,
            "events_webhookdelivery": rows.delivery.pk,
            "mail_mail": rows.mail.pk,
            "payments_alert": rows.alert.pk,
            "payments_cursor": rows.cursor.pk,
            "payments_invoice": rows.invoice.pk,
            "payments_payment": rows.payment.pk,
            "payments_payout": rows.draft.pk,
            "payments_rate": rows.rate.pk,
            "published page": rows.page.pk,
            "payout to sign": rows.signing.pk,
            "settings_shopsettings": SETTINGS,
            "shop_order": rows.paid.pk,
            "type of product": ContentType.objects.get_for_model(rows.product).pk,
            "product": rows.product.pk,
        }
        self.ids["identity document"] = Document.objects.get(verification=self.ids["verification_verification"]).pk
        self.doomed = {
            (name, person): rows.fresh(name).pk for name in DELETABLE for person in sorted(MODELS[name].delete) if is_here(person)
        }
        self.expected: dict[str, dict[str, str]] = {}
        self.asked: dict[str, tuple[str, str, list[Any]]] = {}
        self.links: dict[tuple[str, str], str] = {}
        """One of each kind that a person was shown: links that differ in the row's id are of one kind."""
        self.menus: dict[str, dict[str, set[str]]] = {}
        self.is_read = False
        """Whether links and menu of the page are read."""
        for name, rights in MODELS.items():
            self._add_model(name, rights)
        for name, shown in PAGES.items():
            for page in shown:
                self._add_page(name, page)

    def _add(self, method: str, name: str, args: list[Any], about: str, answers: dict[str, str]) -> None:
        title = f"{method} {name} {about}".strip()
        self.expected[title], self.asked[title] = answers, (method, name, args)

    def _add_model(self, row: str, rights: Rights) -> None:
        model = f"admin:{row.partition(' ')[0]}"
        self._add("GET", f"{model}_changelist", [], row, line(rights.view))
        self._add("GET", f"{model}_history", [row], row, line(rights.view))
        self._add("GET", f"{model}_change", [row], row, line(rights.view, asks=rights.asks and bool(rights.change)))
        self._add("GET", f"{model}_delete", [row], row, line(rights.delete, asks=rights.asks))
        self._add("GET", f"{model}_add", [], row, line(rights.add, asks=rights.asks))
        self._add("POST", f"{model}_add", [], row, line(rights.add, asks=rights.asks))
        self._add("POST", f"{model}_change", [row], row, line(rights.change, asks=rights.asks))
        self._add("POST", f"{model}_delete", [f"delete {row}"], row, line(rights.delete, asks=rights.asks))

    def _add_page(self, name: str, page: Page) -> None:
        for last in page.names or ("",):
            for method in page.methods if last in page.names[:1] or not last else SEND:
                args = [part for part in (page.row, last) if part]
                answers = line(page.who, asks=last in page.asks, others=page.refusal)
                self._add(method, name, args, " ".join(args), answers)

    def ask(self, title: str, person: str) -> Any:
        method, name, args = self.asked[title]
        is_open = method == "GET" and self.expected[title][person] == YES
        self.is_read = is_open and (person in GROUPS or name.endswith("_changelist"))  # a superuser may follow every link
        path = reverse(name, args=[self._pk(arg, person) for arg in args])
        client = self.people.browser(person)
        if method == "POST":
            return client.post(path, {"post": "yes", "name": "Changed", **REASON})
        answer = client.get(path, AUTOCOMPLETE if name == "admin:autocomplete" else {})
        if self.is_read and "text/html" in answer.headers.get("Content-Type", ""):
            for path in re.findall(r'href="(/admin/[^"#?]*)', answer.text):
                self.links.setdefault((person, re.sub(r"[0-9a-f-]{36}|\d+", "*", path)), path)
            if menu := re.search(r'<select name="action".*?</select>', answer.text, re.DOTALL):
                self.menus.setdefault(name, {})[person] = set(re.findall(r'value="(\w+)"', menu[0]))
        return answer

    def press(self, row: str, action: str, person: str, pk: Any = None) -> Any:
        """Send an action of a list as if its menu had offered it."""
        return self.people.browser(person).post(
            reverse(f"admin:{row}_changelist"),
            {"action": action, "_selected_action": str(pk or self.ids[row]), "post": "yes", "confirmed": "1", **REASON},
        )

    def refused_actions(self) -> set[str]:
        """Send each action as each person who may, which changes rows, and return those that were refused or had no effect."""
        wrong = set()
        for row, menu in ACTIONS.items():
            for action, who in menu.items():
                for person in sorted(who):
                    expected = NEW_CODE if MODELS[row].asks and person in OLD_CODE else YES
                    if (answer := self.effect(row, action, person)) != expected:
                        wrong.add(f"{action} of {row} as {person}: {answer}, not {expected}")
        return wrong

    def effect(self, row: str, action: str, person: str) -> str:
        """Press an action for a row that is there, and say what became of it."""
        pk = self.rows.fresh(row).pk if row in DELETABLE else self.ids[row]
        session = self.people.browser(person).session
        session.pop("_messages", None)  # of earlier presses: nobody read the pages after them
        session.save()
        answer = self.press(row, action, person, pk)
        told = meaning(answer)
        if told == YES and any(str(said).startswith(NOTHING_DONE) for said in get_messages(answer.wsgi_request)):
            return "nothing was done"
        is_left = told == YES and action == "delete_selected" and apps.get_model(row.replace("_", ".")).objects.filter(pk=pk).exists()
        return "the row is still there" if is_left else told

    def dead_links(self) -> set[str]:
        """Follow all links of the admin that were on the pages that somebody may see, and return those that refuse them."""
        return {
            f"{path} as {person}: {answer}"
            for (person, _kind), path in self.links.items()
            if (answer := meaning(self.people.browser(person).get(path))) not in (YES, NEW_CODE)
        }

    def _pk(self, arg: str, person: str) -> Any:
        deleted = arg.removeprefix("delete ")
        return self.doomed.get((deleted, person), self.ids[deleted]) if deleted != arg else self.ids.get(arg, arg)


def test_a_new_page_of_the_admin_needs_a_line_in_the_table():
    found = {name for name in pages() if name.startswith(("admin:", "exceptions:", "opening:")) and not name.startswith("admin:admin/")}
    models = {f"admin:{row.partition(' ')[0]}_{page}" for row in MODELS for page in OF_MODELS}
    assert found == set(PAGES) | ELSEWHERE | models


def test_exactly_those_of_the_table_open_each_page_of_the_admin(settings, monkeypatch):
    settings.STAFF_TWO_FACTOR, settings.SANDBOX = "required", True
    settings.VERIFICATION_PROVIDER, settings.FIELD_ENCRYPTION_KEY = "manual", ["k" * 32]
    pages = Admin()
    skip_pages(monkeypatch, lambda: pages.is_read)
    check(pages.expected, pages.ask)
    pages.is_read = False

    assert pages.menus == offered()
    before = tables()
    for name, menu in ACTIONS.items():
        for action, who in menu.items():
            for person in filter(is_here, sorted(MODELS[name].view - who)):
                pages.press(name, action, person)
    assert tables() == before
    assert pages.dead_links() == set()
    assert pages.refused_actions() == set()


def offered() -> dict[str, dict[str, set[str]]]:
    """Return what the menu of each list has for each person who gets one."""
    menus: dict[str, dict[str, set[str]]] = {}
    for name, menu in ACTIONS.items():
        for action, who in menu.items():
            for person in filter(is_here, who - OLD_CODE):
                menus.setdefault(f"admin:{name}_changelist", {}).setdefault(person, set()).add(action)
    return menus
