"""Statements whose text is kept do what Django's own do (D86 in docs/decisions.md)."""

from contextlib import nullcontext

import pytest
from django.db import IntegrityError

from accounts.tests.factories import UserFactory
from cryptons.db import atomic, new_id
from cryptons.events.models import Event, record
from cryptons.kept_sql import find_rows, has_row, insert, new_row
from cryptons.mail.models import Mail
from payments.models import Option
from payments.tests.factories import OptionFactory
from shop.errors import CartChanged, OutOfStock
from shop.models import Order, Product, UnpaidSlot
from shop.orders.stock import take_stock
from shop.tests.factories import NOW, OrderLineFactory, ProductFactory


def _make_rows():
    """Store one row of each model of which an order has rows."""
    line, option = OrderLineFactory.create(order__shipping_address={"name": "Ada “A” O'Hara 100 %", "city": "Łódź"}), OptionFactory.create()
    event = Event.objects.create(subject_type="order", subject_id=line.order.pk, seq=1, type="order.placed", data={"on": [1, None, "%s"]})
    mail = Mail.objects.create(key="order-received:1", to="ada@example.com", subject="100 %", text="%s", html="<p>%(a)s</p>")
    slot = UnpaidSlot.objects.create(visitor="0" * 64, number=1, order=line.order, until=NOW)
    return line.order, line, option.invoice, option, event, mail, slot


@pytest.mark.django_db
@pytest.mark.parametrize("key", [[], ["a-key-that-is-long-enough-for-the-test-xxxxx"]])
def test_insert_writes_what_django_writes(settings, key):
    settings.FIELD_ENCRYPTION_KEY = key
    for row in _make_rows():
        model = type(row)
        stored = model.objects.filter(pk=row.pk).values().get()
        model.objects.filter(pk=row.pk)._raw_delete("default")

        insert([row])

        assert model.objects.filter(pk=row.pk).values().get() == stored


@pytest.mark.django_db
def test_insert_writes_several_rows_and_each_can_be_saved_again():
    rows = [Event(subject_type="order", subject_id=new_id(), seq=seq, type="order.placed") for seq in (1, 2, 3)]

    insert(rows)
    rows[0].actor = "staff"
    rows[0].save()

    assert sorted(Event.objects.values_list("seq", "actor")) == [(1, "staff"), (2, ""), (3, "")]
    insert([])


@pytest.mark.django_db(transaction=True)
def test_insert_refuses_a_row_that_breaks_a_unique_index():
    subject = new_id()
    record("order.placed", subject, seq=1, data={})

    with pytest.raises(IntegrityError), atomic():
        record("order.changed", subject, seq=2, data={})
        insert([Event(subject_type="order", subject_id=subject, seq=1, type="order.placed")])

    assert Event.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("key", [[], ["a-key-that-is-long-enough-for-the-test-xxxxx"]])
def test_find_rows_reads_what_django_reads(settings, key):
    settings.FIELD_ENCRYPTION_KEY = key
    for row in (*_make_rows(), UserFactory(address={"city": "Łódź 100 %"})):
        model = type(row)
        stored = model.objects.get(pk=row.pk)

        (found,) = find_rows(model, [row.pk, new_id()])

        assert [getattr(found, field.attname) for field in model._meta.concrete_fields] == [
            getattr(stored, field.attname) for field in model._meta.concrete_fields
        ]
        assert found._state.adding is False


@pytest.mark.django_db
def test_new_row_makes_what_the_model_makes():
    for row in _make_rows():
        model = type(row)
        values = {field.name: getattr(row, field.name) for field in model._meta.concrete_fields}

        made, expected = new_row(model, **values), model(**values)

        assert made.__dict__ == {**expected.__dict__, "_state": made._state}
        assert (made._state.adding, made._state.fields_cache) == (True, expected._state.fields_cache)


@pytest.mark.parametrize("model", [Event, Mail, Order, Option])
def test_new_row_has_the_defaults_of_the_model(model):
    made, expected = new_row(model), model()

    assert made.__dict__.keys() == expected.__dict__.keys()
    for field in model._meta.concrete_fields:
        value, default = getattr(made, field.attname), getattr(expected, field.attname)
        assert type(value) is type(default) if callable(field.default) else value == default
    assert new_row(model).pk != made.pk


def test_new_row_shares_no_default_with_another_row():
    new_row(Event).data["on"] = True

    assert new_row(Event).data == {}


def test_new_row_refuses_a_name_that_the_model_does_not_have():
    with pytest.raises(TypeError, match="Event has no kind"):
        new_row(Event, kind="order.placed")


@pytest.mark.django_db
def test_find_rows_reads_several_rows_and_none():
    rows = ProductFactory.create_batch(3)

    assert set(find_rows(Product, [row.pk for row in rows])) == set(rows)
    assert find_rows(Product, [new_id()]) == []
    assert find_rows(Product, []) == []


@pytest.mark.django_db
def test_has_row_finds_what_django_finds():
    Mail.objects.create(key="%s 'A' Łódź", to="ada@example.com", subject="", text="", html="")

    assert [has_row(Mail, "key", text) for text in ("%s 'A' Łódź", "%s 'a' Łódź", "")] == [True, False, False]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("product", "left"),
    [
        ({}, 8),
        ({"stock": 2}, 0),
        ({"stock": 1}, OutOfStock),
        ({"is_listed": False}, CartChanged),
        ({"price_minor": 4998}, CartChanged),
    ],
)
def test_stock_is_taken_only_as_the_order_names_it(product, left):
    other = ProductFactory.create()
    sold = ProductFactory.create(**{"stock": 10, "price_minor": 4999} | product)
    line = OrderLineFactory.build(product=sold, price_minor=4999, quantity=2)

    with nullcontext() if isinstance(left, int) else pytest.raises(left), atomic():
        take_stock([line])

    sold.refresh_from_db()
    assert sold.stock == (left if isinstance(left, int) else product.get("stock", 10))
    assert Product.objects.get(pk=other.pk).stock == other.stock
