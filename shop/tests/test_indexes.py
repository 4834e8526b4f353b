"""The indexes that the busiest queries stand on, on the database that the suite uses."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from cryptons.db import new_id
from cryptons.events.models import Event
from cryptons.mail.models import Mail
from payments.invoices.settlement import settle
from payments.models import Invoice, Option, Payment
from payments.tests.factories import PaymentFactory
from shop.cart.contents import read_cart
from shop.catalogue.reads import find_products, find_shown
from shop.models import Cart, Order, Product
from shop.search import Query
from shop.tests.factories import CartItemFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)

CONTRACT = [
    (User, ["email"], True),
    (User, ["username"], True),
    (Product, ["sku"], True),
    (Product, ["slug"], True),
    (Product, ["category", "price_minor"], False),
    (Order, ["user", "created_at"], False),
    (Order, ["number"], True),
    (Order, ["access_token"], True),
    (Order, ["created_at"], False),
    (Cart, ["user"], True),
    (Payment, ["network", "reference"], True),
    (Payment, ["network", "is_safe"], False),
    (Option, ["network", "destination"], True),
    (Event, ["subject_id", "seq"], True),
]

BUSIEST = {
    "a product's page": lambda: Product.objects.filter(slug="kettle"),
    "the newest products": lambda: Product.objects.filter(is_listed=True).order_by("-created_at")[:20],
    "products after another one": lambda: Product.objects.filter(is_listed=True, created_at__lte=timezone.now()).order_by(
        "-created_at", "-id"
    )[:20],
    "products that changed": lambda: Product.objects.filter(updated_at__gte=timezone.now()).order_by("updated_at", "id")[:20],
    "payments that changed": lambda: Payment.objects.filter(updated_at__gte=timezone.now()).order_by("updated_at", "id")[:20],
    "a category by price": lambda: Product.objects.filter(category=new_id()).order_by("price_minor")[:20],
    "a user's cart": lambda: Cart.objects.filter(user=new_id()),
    "a user's orders": lambda: Order.objects.filter(user=new_id()).order_by("-created_at")[:20],
    "the newest orders": lambda: Order.objects.order_by("-created_at")[:20],
    "orders to ship": lambda: Order.objects.to_ship().order_by(),
    "orders on hold": lambda: Order.objects.on_hold().order_by("updated_at"),
    "an order by its number": lambda: Order.objects.filter(number="7K3M9-2QFXA"),
    "an order by its link": lambda: Order.objects.filter(access_token="x"),
    "where money went": lambda: Option.objects.filter(network="BTC", destination__in=["a", "b"]).order_by(),
    "a payment that a node names": lambda: Payment.objects.filter(network="BTC", reference__in=["a", "b"]).order_by(),
    "payments that may still move": lambda: Payment.objects.filter(network="BTC", is_final=False, is_present=True).order_by(),
    "invoices about which facts came in": lambda: Invoice.objects.touched().order_by("id"),
    "invoices of an order's number": lambda: Invoice.objects.filter(label="order_7K3M9-2QFXA").order_by(),
    "invoices whose time is up": lambda: Invoice.objects.filter(status="new", expires_at__lte=timezone.now()).order_by(),
    "the newest payments": lambda: Payment.objects.order_by("-first_seen_at", "-id")[:20],
    "the payments of a month": lambda: Payment.objects.filter(first_seen_at__gte=timezone.now()).order_by("first_seen_at", "id")[:500],
    "the newest invoices": lambda: Invoice.objects.order_by("-created_at", "-id")[:20],
    "an order's invoices": lambda: Invoice.objects.filter(label="order_7K3M9-2QFXA").order_by(),
    "mails that are due": lambda: Mail.objects.filter(next_try_at__lte=timezone.now()).order_by("next_try_at")[:200],
    "an order's time line": lambda: Event.objects.filter(subject_id=new_id()).order_by("seq"),
}


BUSIEST_READS = {
    "a list of products": lambda: find_products(Query()),
    "a product": lambda: find_shown(slug=ProductFactory().slug),
    "a cart": lambda: read_cart(CartItemFactory().cart),
    "what came for an invoice": lambda: settle(PaymentFactory().invoice_id, at=timezone.now()),
}


def indexes_of(model):
    """(columns, whether unique) of each index and each constraint that has one."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return [(each["columns"], bool(each["unique"])) for each in found.values() if each["index"] or each["unique"] or each["primary_key"]]


def columns(model, fields):
    return [model._meta.get_field(field).column for field in fields]


@pytest.mark.parametrize(("model", "fields", "is_unique"), CONTRACT, ids=lambda value: getattr(value, "__name__", None) or str(value))
def test_each_documented_index_exists(model, fields, is_unique):
    assert any(found == columns(model, fields) and unique >= is_unique for found, unique in indexes_of(model))


@pytest.mark.parametrize("model", list(dict.fromkeys(model for model, *_ in CONTRACT)), ids=lambda model: model.__name__)
def test_no_partial_index_has_a_type_condition_that_mongodb_cannot_use(model):
    """It cannot tell what `$type` says of a value that it looks for. The other databases have no such indexes."""
    known = connection.get_collection(model._meta.db_table).index_information() if connection.vendor == "mongodb" else {}

    assert not [name for name, index in known.items() if "$type" in str(index.get("partialFilterExpression"))]


@pytest.mark.parametrize("read", BUSIEST_READS)
def test_the_most_frequent_reads_join_no_tables(read):
    """Some databases join all rows of both before they look for the few that are wanted."""
    ProductFactory.create_batch(2)
    with CaptureQueriesContext(connection) as asked:
        BUSIEST_READS[read]()

    assert asked.captured_queries
    assert not [query["sql"] for query in asked.captured_queries if "$lookup" in query["sql"] or " JOIN " in query["sql"]]


@pytest.mark.parametrize("query", BUSIEST)
def test_mongodb_sorts_before_it_computes_or_removes_fields(query):
    """After such a stage it sorts without an index. On the other databases there is nothing to see."""
    with CaptureQueriesContext(connection) as asked:
        list(BUSIEST[query]().values_list("pk", flat=True))
        list(BUSIEST[query]())

    for each in asked.captured_queries:
        before_sorting = each["sql"].partition("$sort")[0] if "$sort" in each["sql"] else ""
        assert "$project" not in before_sorting
        assert "$addFields" not in before_sorting


@pytest.mark.parametrize("query", BUSIEST)
def test_the_most_frequent_queries_use_an_index(query):
    rows = BUSIEST[query]()
    if connection.vendor == "mongodb":  # the protocol server does not explain: an index begins with a column of the query
        asked = {child.lhs.target.column for child in rows.query.where.children} | {name.lstrip("-") for name in rows.query.order_by}
        assert any(found[0] in asked for found, _ in indexes_of(rows.model))
        return
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")  # a table of no rows is read whole, even if it has indexes
    plan = rows.explain()
    assert "INDEX" in plan.upper(), plan
    assert f"SCAN {rows.model._meta.db_table}\n" not in plan + "\n", plan
    assert "TEMP B-TREE" not in plan, plan
