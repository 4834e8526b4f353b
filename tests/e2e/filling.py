"""Gives an empty shop what every page needs to have something to show, and lists all pages. Runs with the shop's settings.

Prints one JSON object: `people` (name → cookies), `visits` (page, person, path, where it leads, whether the form is sent as it is),
`texts` (name → a page that no address opens), `refused` (pages of the admin that nobody may open) and `missing` (names
of pages that no visit opens).
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.utils import timezone

from accounts.api_keys import make_key
from accounts.links import Kind, make_link
from accounts.login_steps import PENDING, PENDING_SECONDS
from accounts.models import SecondFactor, User
from accounts.second_factor import begin
from accounts.tests.factories import PASSWORD, StaffFactory, UserFactory
from accounts.verification.admin import ACTIONS as VERDICTS
from accounts.verification.models import SanctionsHit, Verification
from cryptons.db import new_id
from cryptons.events.admin import ACTIONS as ENDPOINT_ACTIONS
from cryptons.events.endpoints import send_test
from cryptons.events.models import WebhookEndpoint
from payments.admin.decisions import DECISIONS, decision_path
from payments.admin.payout_actions import ACTIONS as PAYOUT_ACTIONS
from payments.admin.payout_actions import draft_path
from payments.models import Alert, Option, Payout, Rate
from payments.payouts.refund_links import refund_path
from payments.payouts.workflow import draft_payout
from reviews.asking import SALT
from reviews.tests.factories import ReviewFactory
from shop.admin.orders import ACTIONS as ORDER_ACTIONS
from shop.catalogue.changes import rebuild_search
from shop.demo.goods import DEPARTMENTS
from shop.demo.loading import load
from shop.models import Category, Order, Product, Voucher
from shop.orders.lifecycle import cancel_own_order, change_status
from shop.settings.changes import change_settings
from shop.settings.colours import LIGHT, readable
from shop.settings.models import ContentPage, ShopSettings
from shop.settings.page_changes import add_page, publish_page
from shop.tests.factories import ADDRESS
from shop.tests.paying import TIP, invoice_of, placed, run_out, tell
from tests.e2e.not_pages import NOT_PAGES

ADMIN_PAGES = ("changelist", "add", "change", "delete")


@dataclass
class Filled:
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    visits: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def visit(self, person: str, *paths: str, name: str = "", send: bool = False, lands: str = "") -> None:
        """Add pages. `send` submits the page's form as it is, so that its errors show; `lands` is where a path leads to."""
        for path in paths:
            bare = path.partition("?")[0]
            page = resolve(bare.removeprefix("/de")).view_name
            self.visits.append({"page": page, "name": name, "person": person, "path": path, "lands": lands or bare, "send": send})

    def person(self, name: str, client: Client) -> Client:
        self.people[name] = {key: morsel.value for key, morsel in client.cookies.items() if morsel.value}
        return client


def client_of(user: User | None = None) -> Client:
    client = Client(HTTP_HOST="127.0.0.1")
    if user:
        client.force_login(user)
    return client


def orders_in_every_state(kettle: Product, buyer: User) -> dict[str, Order]:
    """Place an order for each state that the pay page can show. All belong to the buyer."""
    now = timezone.now()
    orders: dict[str, Order] = {}

    def new(name: str, *, old: bool = False) -> Order:
        orders[name] = placed(at=now - timedelta(days=2) if old else timezone.now(), product=kettle, user=buyer)
        return orders[name]

    def money(order: Order, **more: Any) -> None:
        tell(order, reference=f"{order.pk.hex * 2}:0", **more)

    new("waiting")
    money(new("seen"))
    money(new("paid"), height=TIP - 1)
    money(new("overpaid"), height=TIP - 1, percent=150)
    money(new("underpaid"), height=TIP - 1, percent=60)
    money(new("double-spent"))
    money(orders["double-spent"], present=False, conflicted=True)
    money(new("reorged"), height=TIP - 1)
    money(orders["reorged"])
    run_out(new("expired", old=True))
    money(new("underpaid-expired", old=True), percent=60, height=TIP - 1)
    run_out(orders["underpaid-expired"])
    run_out(new("late", old=True))
    money(orders["late"], height=TIP - 1, seen_at=now, at=now)
    cancel_own_order(new("cancelled").pk, at=now)
    money(new("shipped", old=True), height=TIP - 1)
    change_status(orders["shipped"].pk, "shipped", actor="grace", at=now)
    money(new("refunding", old=True), height=TIP - 1)
    change_status(orders["refunding"].pk, "cancelled", actor="grace", at=now, reason="The kettle broke.")
    Option.objects.filter(invoice=invoice_of(new("lightning"))).update(network="BTC-LN", destination="ab" * 32)
    Option.objects.filter(invoice=invoice_of(new("xrp"))).update(network="XRP", destination="rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh?dt=42")
    return orders


def payouts(orders: dict[str, Order]) -> list[Payout]:
    """Draft a payout, and put copies of it in every state."""
    draft = draft_payout(invoice_of(orders["refunding"]).pk, kind="refund", network="BTC", actor="grace", at=timezone.now())
    names = ("invoice", "kind", "network", "amount_base", "currency", "value_minor", "minor_per_coin", "created_by", "created_at")
    values = {name: getattr(draft, name) for name in names}
    copies = [
        Payout.objects.create(**values, status=status, destination="bcrt1qback", reference=f"{number:064x}")
        for number, status in enumerate(Payout.Status.values)
    ]
    return [draft, *copies]


def fill() -> Filled:
    filled = Filled()
    for department in list(DEPARTMENTS)[1:]:  # one is enough, and pictures take long
        del DEPARTMENTS[department]
    load(lambda _: None)
    rebuild_search()
    say_who_sells()
    write_pages()
    kettle = Product.objects.get(sku="KIT-KETTLE")
    Product.objects.filter(pk=kettle.pk).update(stock=1000)
    buyer = UserFactory.create(username="buyer", first_name="Ada", last_name="Lovelace", address=ADDRESS)
    staff = StaffFactory.create(username="grace")
    orders = orders_in_every_state(kettle, buyer)
    ReviewFactory.create(product=kettle, user=buyer)
    anonymous_pages(filled, kettle)
    guest_pages(filled, kettle)
    buyer_pages(filled, buyer, orders)
    review_pages(filled, kettle)
    verification_pages(filled)
    login_pages(filled)
    admin_pages(filled, staff, orders, payouts(orders))
    error_pages(filled)
    change_settings({"asks_for_terms": True})  # the orders above are placed without
    seen = {visit["page"] for visit in filled.visits}
    names = {name for name in page_names(get_resolver().url_patterns) if not name.endswith("_history")}  # one template: an order's is seen
    filled.missing = sorted(names - seen - {*filled.refused, *NOT_PAGES})
    return filled


def say_who_sells() -> None:
    """Give the shop colours, words and a seller of its own. The colour is the lightest that may be used."""
    accent = readable("#c05000", LIGHT, towards="#000000")
    seller = {"company": "Kettle & Thread GmbH", "address": "Hauptstr. 1\n10115 Berlin", "vat_id": "DE123456789"}
    change_settings({"accent": accent, "home_text": {"en": "Tea, and all it needs."}, "email": "shop@thread.example", **seller})


def write_pages() -> None:
    """Publish a page with all that a text can have, in the shop's first language alone."""
    words = "# Prices\n\nAll **prices** are final.\n\n- [Cart](/cart/)\n- [Post](https://post.example/)"
    text = f"{words}\n\n| To | Price |\n|---|---|\n| Berlin | 4.90 |"
    page = add_page({"slug": "terms", "texts": {"en": {"title": "Terms", "text": text}}}, pk=new_id())
    publish_page(page.pk, by="grace", at=timezone.now())
    add_page({"slug": "about-us", "texts": {"en": {"title": "About us", "text": "We sell."}}}, pk=new_id())


def anonymous_pages(filled: Filled, kettle: Product) -> None:
    filled.people["anonymous"] = {}
    sold_out = Product.objects.get(sku="KIT-MUG")
    Product.objects.filter(pk=sold_out.pk).update(stock=0)
    category = Category.objects.exclude(parent=None).earliest("name")
    visit = filled.visit
    visit("anonymous", "/", "/de/", f"/c/{category.slug}/", f"/p/{kettle.slug}/", f"/p/{sold_out.slug}/", f"/de/p/{kettle.slug}/")
    visit(
        "anonymous",
        "/search",
        "/search?q=kettle",
        "/search?q=zzqqxx",
        "/de/search?q=kettle",
        "/cart/",
        "/api/docs",
        "/pages/terms/",
        "/de/pages/terms/",
        "/contact/",
        "/de/contact/",
    )
    visit("anonymous", "/account/login/", "/de/account/login/", "/account/register/", "/account/forgotten/", "/account/forgotten/sent/")
    visit(
        "anonymous",
        "/account/orders/",
        "/account/link/",
        "/account/link/nonsense/",
        "/refund/nonsense/",
        "/orders/nonsense/",
        "/p/nothing-like-it/",
    )
    for path in ("/account/login/", "/account/register/", "/account/forgotten/", "/account/orders/", "/contact/"):
        visit("anonymous", path, send=True)


def guest_pages(filled: Filled, kettle: Product) -> None:
    """The cart and the checkout of a guest, and the page of an order whose link was mailed."""
    guest = client_of()
    guest.post("/cart/add/", {"product": kettle.pk, "quantity": 2}, headers={"Sec-Fetch-Site": "same-origin"})
    guest.post("/checkout/", {"email": "ada@example.com", **ADDRESS})
    filled.person("guest", guest)
    filled.visit("guest", "/", "/cart/", "/de/cart/", "/checkout/", "/de/checkout/", "/checkout/payment/", "/de/checkout/payment/")
    stranger = client_of()
    stranger.post("/cart/add/", {"product": kettle.pk, "quantity": 2}, headers={"Sec-Fetch-Site": "same-origin"})
    filled.person("newcomer", stranger)
    filled.visit("newcomer", "/checkout/", send=True)


def buyer_pages(filled: Filled, buyer: User, orders: dict[str, Order]) -> None:
    filled.person("buyer", client_of(buyer))
    for name, order in orders.items():
        filled.visit("buyer", f"/pay/{invoice_of(order).pk}/", name=name)
    for name in ("waiting", "paid", "underpaid-expired", "late", "cancelled", "refunding", "shipped"):
        filled.visit("buyer", f"/orders/{orders[name].number}/", name=name)
    filled.visit("buyer", f"/de/pay/{invoice_of(orders['waiting']).pk}/", f"/de/orders/{orders['shipped'].number}/")
    filled.visit("anonymous", f"/pay/{invoice_of(orders['waiting']).pk}/", name="stranger")
    for name in ("waiting", "expired", "late", "underpaid-expired"):
        filled.visit("buyer", f"/pay/{invoice_of(orders[name]).pk}/quote/", name=name)
    filled.visit("buyer", f"/orders/{orders['paid'].number}/receipt/", f"/orders/{orders['waiting'].number}/cancel/")
    filled.visit("buyer", f"/orders/{orders['overpaid'].number}/money-back/", "/account/orders/", "/de/account/orders/")
    filled.visit("buyer", "/account/", "/account/address/", "/account/email/", "/account/password/", "/account/second-factor/", "/")
    for path in ("/account/address/", "/account/email/", "/account/password/"):
        filled.visit("buyer", path, send=True)
    for name, send in (("late", False), ("overpaid", False), ("waiting", False), ("refunding", False), ("late", True)):
        invoice = invoice_of(orders[name])
        filled.visit("buyer", refund_path(invoice.pk), name=name, send=send, lands=f"/refund/{invoice.pk}/")


def review_pages(filled: Filled, kettle: Product) -> None:
    filled.visit("anonymous", f"/p/{kettle.slug}/reviews/", f"/p/{kettle.slug}/reviews/?sort=lowest")
    filled.visit("anonymous", reverse("reviews:no_mails", args=[signing.dumps(str(UserFactory.create().pk), salt=SALT)]))
    filled.visit("buyer", f"/p/{kettle.slug}/review/", name="to change")
    newcomer = UserFactory.create()
    filled.person("reviewer", client_of(newcomer))
    filled.visit("reviewer", f"/p/{kettle.slug}/review/")
    filled.visit("reviewer", f"/p/{kettle.slug}/review/", send=True)


def verification_pages(filled: Filled) -> None:
    filled.visit("buyer", "/account/verification/", "/de/account/verification/")
    filled.visit("buyer", "/account/verification/", send=True)
    for status in (Verification.Status.PENDING, Verification.Status.REJECTED, Verification.Status.APPROVED):
        user = UserFactory.create()
        Verification.objects.create(user=user, provider="manual", status=status, reason="The photo is blurred.")
        filled.person(status, client_of(user))
        filled.visit(status, "/account/verification/", name=status)


def login_pages(filled: Filled) -> None:
    """The second step of a login, the second factor's own pages, and what links in mails open."""
    careful = UserFactory.create(username="careful")
    begin(careful)
    filled.person("setting up", client_of(careful))
    filled.visit("setting up", "/account/second-factor/set-up/")
    filled.visit("setting up", "/account/second-factor/set-up/", send=True)
    wary = UserFactory.create(username="wary", has_second_factor=True)
    begin(wary)
    SecondFactor.objects.filter(user=wary).update(confirmed_at=timezone.now())
    filled.person("with a second factor", client_of(wary))
    filled.visit("with a second factor", "/account/second-factor/", "/account/second-factor/code/?next=/account/")
    half = client_of()
    half.post("/account/login/", {"name": "wary", "password": PASSWORD})
    session = half.session
    session[PENDING]["at"] += 10 * PENDING_SECONDS  # it is still waited for when a slow machine comes to this page
    session.save()
    filled.person("half logged in", half)
    filled.visit("half logged in", "/account/login/code/")
    filled.visit("half logged in", "/account/login/code/", send=True)
    for kind in (Kind.RESET, Kind.VERIFY):
        filled.visit("anonymous", make_link(wary, kind, wary.email), name=kind, lands="/account/link/")


def admin_pages(filled: Filled, staff: User, orders: dict[str, Order], rows: list[Payout]) -> None:
    """Each page of each model, as the registry has them, and the pages of our own."""
    make_key(staff, "Till", ["orders:read"])
    Rate.objects.get_or_create(coin="BTC", defaults={"currency": "USD", "minor_per_coin": 6_500_000, "quoted_at": timezone.now()})
    send_test(WebhookEndpoint.objects.create(url="https://erp.example/hooks", events=["order.paid"]), at=timezone.now())
    Alert.objects.create(key="e2e:1", text="The node's records have a payment that the ledger lacks: 0.5 BTC.")
    Voucher.objects.create(code="SPRING", percent=10)
    SanctionsHit.objects.create(key="hit", entry="Petrov, Ivan", name="Ivan Petrov", email="ivan@example.com", seen_at=timezone.now())
    client = filled.person("staff", client_of(staff))
    form = {"name": "ERP", "scopes": ["orders:read"], "expires_at_0": "", "expires_at_1": "", "allowed_ips": ""}
    filled.texts["a new API key"] = client.post("/admin/accounts/apikey/add/", form).text
    endpoint = {"url": "https://till.example/hooks", "events": ["order.paid"], "is_enabled": "on"}
    filled.texts["a new webhook endpoint"] = client.post("/admin/events/webhookendpoint/add/", endpoint).text
    filled.person("staff without rights", client_of(StaffFactory.create(is_superuser=False)))
    filled.visit("staff without rights", "/admin/", "/admin/shop/order/")
    filled.visit("staff", "/admin/", "/de/admin/", "/admin/shop/")
    request: Any = RequestFactory().get("/admin/")
    request.user = staff
    for model, site in admin.site._registry.items():
        allowed = {"add": site.has_add_permission(request), "delete": site.has_delete_permission(request)}
        base = f"{model._meta.app_label}_{model._meta.model_name}"
        row = orders["underpaid"] if model is Order else model._default_manager.first()
        row = ContentPage.objects.get(published=None) if model is ContentPage else row
        for page in ADMIN_PAGES:
            needs_row = page not in ("changelist", "add")
            if not allowed.get(page, True):
                filled.refused.append(f"admin:{base}_{page}")
            elif not needs_row:
                lands = reverse("admin:settings_shopsettings_change", args=[row.pk]) if model is ShopSettings and row else ""
                filled.visit("staff", reverse(f"admin:{base}_{page}"), lands=lands)
            elif row:
                filled.visit("staff", reverse(f"admin:{base}_{page}", args=[row.pk]))
        if allowed["add"]:
            filled.visit("staff", reverse(f"admin:{base}_add"), send=True)
    endpoint_id = WebhookEndpoint.objects.latest("created_at").pk
    for act in ENDPOINT_ACTIONS:
        filled.visit("staff", reverse("admin:events_webhookendpoint_act", args=[endpoint_id, act]), name=act)
    terms = ContentPage.objects.get(slug="terms")
    for name, arguments in (("change", [terms.pk]), ("preview", [terms.pk]), ("version", [terms.pk, 1])):
        filled.visit("staff", reverse(f"admin:settings_contentpage_{name}", args=arguments))
    filled.visit("staff", reverse("admin:shop_order_history", args=[orders["underpaid"].pk]))
    for page in ("payments_nodes", "payments_channels", "shop_product_demo"):
        filled.visit("staff", reverse(f"admin:{page}"))
    filled.visit("staff", reverse("admin:auth_user_password_change", args=[staff.pk]), "/admin/exceptions/", "/de/admin/exceptions/")
    filled.visit("staff", reverse("opening:steps"))
    filled.visit("staff", "/admin/nothing-here/")
    acts_of_staff(filled, orders, rows)


def acts_of_staff(filled: Filled, orders: dict[str, Order], rows: list[Payout]) -> None:
    """Each question that staff answer, once, and the page of each order and payout."""
    asked: set[str] = set()

    def ask(name: str, path: str) -> None:
        if name not in asked:
            asked.add(name)
            filled.visit("staff", path, name=name)

    for name, order in orders.items():
        invoice = invoice_of(order)
        if name in ("reorged", "refunding", "late"):
            filled.visit("staff", reverse("admin:shop_order_change", args=[order.pk]), name=name)
        for act in ORDER_ACTIONS.values():
            if act.fits(order):
                ask(act.name, reverse("admin:shop_order_act", args=[order.pk, act.name]))
        for decision in DECISIONS.values():
            if decision.fits(invoice):
                ask(decision.name, decision_path(invoice.pk, decision.name))
    for name in ("late", "underpaid-expired"):
        filled.visit("staff", reverse("exceptions:ask", args=[invoice_of(orders[name]).pk]), name=name)
    waiting = Verification.objects.get(status=Verification.Status.PENDING)
    for verdict in VERDICTS:
        ask(f"verification {verdict}", reverse("admin:verification_verification_act", args=[waiting.pk, verdict]))
    ask("clear hit", reverse("admin:verification_sanctionshit_act", args=[SanctionsHit.objects.get().pk, "clear"]))
    for kind, name in (("late", "late"), ("excess", "overpaid")):
        filled.visit("staff", draft_path(invoice_of(orders[name]).pk, kind), name=kind)
    for payout in rows:
        if payout.status in ("draft", "approved", "unknown"):
            filled.visit("staff", reverse("admin:payments_payout_change", args=[payout.pk]), name=payout.status)
        for action in PAYOUT_ACTIONS.values():
            if action.fits(payout):
                ask(f"payout {action.name}", reverse("admin:payments_payout_act", args=[payout.pk, action.name]))


def error_pages(filled: Filled) -> None:
    """Show what only a fault or a crowd makes: as text."""
    request: Any = RequestFactory().get("/")
    request.user, request.session = AnonymousUser(), {}
    for name in ("400", "403", "403_csrf", "429", "500", "503"):
        filled.texts[name] = render_to_string(f"{name}.html", {"text": "Please try again in 10 minutes."}, request)


def page_names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Yield the name of each address but those of the API, pictures and health."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            if pattern.name:
                yield prefix + pattern.name
        elif not str(pattern.pattern).startswith(("api/", "media/")):
            yield from page_names(pattern.url_patterns, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)


def main() -> None:
    json.dump(asdict(fill()), sys.stdout)
