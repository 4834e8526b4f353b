"""What is encrypted in the database when FIELD_ENCRYPTION_KEY is set."""

import json
import runpy
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import JSONField, TextField

from accounts.models import User
from accounts.tests.factories import UserFactory
from cryptons.db import new_id
from cryptons.encryption import EncryptedField, seal, unseal
from cryptons.mail.models import Mail
from cryptons.models import IdempotentRequest
from shop.models import Order
from shop.tests.factories import OrderFactory

pytestmark = pytest.mark.database

OLD, NEW = "the former key " + "x" * 32, "the new key " + "y" * 32
ADDRESS = {"name": "Ada Lovelace", "city": "London"}


@pytest.fixture
def rows(settings: Any, db: None) -> dict[type, Any]:
    """One row of each model that has encrypted fields, written with OLD."""
    settings.FIELD_ENCRYPTION_KEY = [OLD]
    return {
        User: UserFactory(address=ADDRESS),
        Order: OrderFactory(shipping_address=ADDRESS),
        Mail: Mail.objects.create(key="x", to="ada@example.com", subject="Order", text="Dear Ada Lovelace", html="<p>Ada Lovelace</p>"),
        IdempotentRequest: IdempotentRequest.objects.create(user_id=new_id(), key="x", body_hash="x", response=ADDRESS),
    }


def encrypted(model: type) -> list[Any]:
    return [field for field in model._meta.concrete_fields if isinstance(field, EncryptedField)]  # type: ignore[attr-defined]


def stored(row: Any) -> str:
    """The encrypted columns as the database has them."""
    table, names = type(row)._meta.db_table, [field.column for field in encrypted(type(row))]
    if connection.vendor == "mongodb":
        return str([document[name] for document in connection.database[table].find() for name in names])  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM {table}")
        return str(cursor.fetchall())


def test_addresses_mails_and_kept_answers_are_not_in_the_database_in_clear(rows):
    for model, row in rows.items():
        assert "Lovelace" not in stored(row)
        assert "sealed" in stored(row)
        kept = model._default_manager.get()
        assert [getattr(kept, field.attname) for field in encrypted(model)] == [getattr(row, field.attname) for field in encrypted(model)]


def test_without_a_key_everything_is_stored_and_read_as_before(settings, db):
    settings.FIELD_ENCRYPTION_KEY = []
    order = OrderFactory(shipping_address=ADDRESS)
    assert "Lovelace" in stored(order)

    settings.FIELD_ENCRYPTION_KEY = [NEW]

    assert Order.objects.get().shipping_address == ADDRESS


def test_rotating_encrypts_everything_with_the_first_key(rows, settings):
    settings.FIELD_ENCRYPTION_KEY = []
    UserFactory(address=ADDRESS)
    settings.FIELD_ENCRYPTION_KEY = [NEW, OLD]
    said = StringIO()

    call_command("rotate_encryption", stdout=said)

    settings.FIELD_ENCRYPTION_KEY = [NEW]
    assert [user.address for user in User.objects.all()] == [ADDRESS, ADDRESS]
    assert Order.objects.get().shipping_address == ADDRESS
    assert Mail.objects.get().text == "Dear Ada Lovelace"
    assert all("Lovelace" not in stored(row) for row in rows.values())
    assert "shop.Order: 1 rows, shipping_address." in said.getvalue()


def test_a_missing_key_is_named_and_without_any_nothing_is_rotated(rows, settings):
    settings.FIELD_ENCRYPTION_KEY = [NEW]
    with pytest.raises(
        ImproperlyConfigured, match=r"^FIELD_ENCRYPTION_KEY must have the key [0-9a-f]{8} as well: shop\.order\.shipping_address"
    ):
        Order.objects.get()
    settings.FIELD_ENCRYPTION_KEY = []
    with pytest.raises(CommandError, match=r"^FIELD_ENCRYPTION_KEY is not set"):
        call_command("rotate_encryption")


def test_a_value_that_was_changed_or_moved_to_another_column_is_refused(settings):
    settings.FIELD_ENCRYPTION_KEY = [NEW]
    sealed = seal("x", "shop.order.shipping_address")
    assert unseal(sealed, "shop.order.shipping_address") == "x"
    assert sealed != seal("x", "shop.order.shipping_address")
    with pytest.raises(ValueError, match="MAC"):
        unseal(sealed, "accounts.user.address")
    with pytest.raises(ValueError, match="MAC"):
        unseal(sealed[:-4] + ("AAA=" if not sealed.endswith("AAA=") else "BBB="), "shop.order.shipping_address")


def test_the_columns_are_those_of_plain_fields(rows):
    for model in rows:
        for field in encrypted(model):
            plain: type = JSONField if isinstance(field, JSONField) else TextField
            assert field.deconstruct()[1] == f"django.db.models.{plain.__name__}"


def test_a_short_key_stops_the_start(monkeypatch):
    monkeypatch.setenv("FIELD_ENCRYPTION_KEY", f"{NEW},short")
    with pytest.raises(ImproperlyConfigured, match=r"^FIELD_ENCRYPTION_KEY must list keys of at least 32 characters each"):
        runpy.run_path("cryptons/settings.py")


def test_the_fields_keep_what_json_keeps(rows):
    address = {"name": "Ünal 😀", "list": [1, None, True]}
    Order.objects.update(shipping_address=address)
    assert Order.objects.get().shipping_address == json.loads(json.dumps(address))
