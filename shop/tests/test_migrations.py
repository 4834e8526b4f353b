"""A shop that was made before opens with its data, and who was mailed about a payment before the mails were renamed is not mailed again."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.models import Invoice
from payments.tests.factories import EXPIRY, NOW
from shop.figures.counting import count_orders
from shop.figures.models import Figure
from shop.models import Order, OrderLine
from shop.orders.timeline import read_timeline

keys = import_module("shop.migrations.0004_mail_keys")


@pytest.mark.django_db
def test_a_migration_gives_the_keys_of_mails_their_new_names():
    for key in ("payment_over:1", "payment_over:1:2026-11-01", "payment_partial:2", "payment_late:3", "payment_overpaid:4"):
        Mail.objects.create(key=key, to="ada@example.org", subject="", text="", html="")

    keys.forwards(apps, None)

    renamed = ["payment_late:3", "payment_overpaid:1", "payment_overpaid:1:2026-11-01", "payment_overpaid:4", "payment_underpaid:2"]
    assert sorted(Mail.objects.values_list("key", flat=True)) == renamed


BEFORE = [
    ("accounts", "0001_initial"),
    ("events", "0001_initial"),
    ("mail", "0002_unsent"),
    ("payments", "0005_hints"),
    ("shop", "0002_order_work_indexes"),
]
"""The database of the last release whose invoices say `over`, `partial` and `marked`."""


def migrate(targets):
    """Migrate to the targets and return the models of that time."""
    MigrationExecutor(connection).migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def models_before(transactional_db):
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield migrate(BEFORE)
    migrate(newest)


def test_the_data_of_an_older_shop_is_kept_by_the_migrations(models_before, client):
    order = models_before.get_model("shop", "Order").objects.create(
        email="ada@example.org", network="BTC", total_minor=10_000, currency="USD", payment_status="underpaid"
    )
    category = models_before.get_model("shop", "Category").objects.create(name="Kettles", slug="kettles")
    goods = {"name": "Copper Kettle", "sku": "KETTLE", "price_minor": 10_000}
    product = models_before.get_model("shop", "Product").objects.create(slug="kettle", category=category, **goods)
    models_before.get_model("shop", "OrderLine").objects.create(order=order, product=product, quantity=1, **goods)
    invoice = models_before.get_model("payments", "Invoice").objects.create(
        subject_id=order.pk,
        label=f"order_{order.number}",
        price_minor=10_000,
        currency="USD",
        tolerance_percent=0,
        tolerance_cap_minor=0,
        confirmations_needed=2,
        status="settled",
        flags={"partial", "over", "manual"},
        exceptions={"over"},
        marked="settled",
        expires_at=EXPIRY,
        monitor_until=EXPIRY,
    )
    events = models_before.get_model("events", "Event").objects
    state = {"status": "settled", "flags": ["manual", "over"], "mark": "settled"}
    events.create(subject_type="invoice", subject_id=invoice.pk, seq=2, type="invoice.settled", data=state, created_at=NOW)
    events.create(subject_type="order", subject_id=order.pk, seq=1, type="order.underpaid", data={}, created_at=NOW)
    key = f"payment_partial:{invoice.pk}"
    models_before.get_model("mail", "Mail").objects.create(key=key, to=order.email, subject="", text="", html="")

    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())

    kept = Invoice.objects.get(pk=invoice.pk)
    assert (kept.override, kept.flags, kept.exceptions) == ("settled", {"underpaid", "overpaid", "manual"}, {"overpaid"})
    assert Event.objects.get(subject_id=invoice.pk).data == {"status": "settled", "flags": ["manual", "overpaid"], "override": "settled"}
    assert Mail.objects.get().key == f"payment_underpaid:{invoice.pk}"
    assert [entry.title for entry in read_timeline(Order.objects.get(pk=order.pk))] == ["Part of the price was paid"]
    assert client.get(f"/orders/{order.access_token}/", follow=True).status_code == 200
    assert (OrderLine.objects.get().category_id, count_orders(), Figure.objects.get().placed) == (category.pk, 1, 1)
