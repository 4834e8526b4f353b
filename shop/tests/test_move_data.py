"""A shop moves from one database to another."""

import io
import sqlite3

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from accounts.tests.factories import StaffFactory
from cryptons.moving import differences, read_lines
from payments.tests.factories import PaymentFactory
from shop.models import Product
from shop.tests.databases import database_of_its_own
from shop.tests.factories import CategoryFactory, OrderFactory, OrderLineFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop():
    staff = StaffFactory(username="grace", is_superuser=False)
    packers = Group.objects.create(name="Packers")
    packers.permissions.add(Permission.objects.get(codename="change_order"))
    staff.groups.add(packers)
    staff.user_permissions.add(Permission.objects.get(codename="view_mail"))
    below = CategoryFactory(parent=CategoryFactory(name="Kitchen"))
    product = ProductFactory(name="Ketel “Ü” 😀", category=below, price_minor=4999, stock=7)
    OrderLineFactory(order=OrderFactory(user=staff), product=product, quantity=2)
    PaymentFactory(amount_base=2_100_000_000_000_000)
    return product


def move(to):
    out = io.StringIO()
    call_command("move_data", to=to, stdout=out)
    return out.getvalue()


def test_every_row_arrives_with_its_key(shop, tmp_path):
    file = tmp_path / "moved.sqlite3"

    assert "counts and sums agree" in move(f"sqlite:///{file}")

    def ask(sql, *values):
        return sqlite3.connect(file).execute(sql, values).fetchall()

    assert ask("select name, price_minor, stock from shop_product where id = ?", shop.pk.hex) == [("Ketel “Ü” 😀", 4999, 7)]
    assert ask("select count(*) from shop_category where parent_id is not null") == [(1,)]
    assert ask("select amount_base from payments_payment") == [(2_100_000_000_000_000,)]
    assert ask("select username from accounts_user join accounts_user_groups g on user_id = accounts_user.id") == [("grace",)]
    permission = "join auth_permission on auth_permission.id = permission_id"
    assert ask(f"select codename from auth_group_permissions {permission}") == [("change_order",)]
    assert ask(f"select codename from accounts_user_user_permissions {permission}") == [("view_mail",)]


def test_times_stay_as_they_were(shop, tmp_path):
    file = tmp_path / "moved.sqlite3"
    shop.refresh_from_db()
    move(f"sqlite:///{file}")
    (updated_at,) = sqlite3.connect(file).execute("select updated_at from shop_product").fetchone()
    assert updated_at.startswith(f"{shop.updated_at:%Y-%m-%d %H:%M:%S}")


def test_a_shop_moves_to_a_server_too(shop, tmp_path):
    with database_of_its_own(tmp_path) as url:
        assert "counts and sums agree" in move(url)
        with pytest.raises(CommandError, match="There is a shop in that database already"):
            move(url)


def test_what_did_not_arrive_is_told(shop):
    *_, tally = read_lines(lambda count: None)
    told = orjson.loads(tally)["rows"]
    assert differences(told) == []

    Product.objects.update(stock=6)
    CategoryFactory()

    assert sorted(differences(told)) == [
        "shop.Category: 2 rows were sent, 3 are there.",
        "shop.Product.stock: 7 was sent in sum, 6 is there.",
    ]


@pytest.mark.parametrize("to", ["oracle://db/x", "mongodb://host/"])
def test_an_address_that_cannot_be_is_refused_before_anything_moves(to):
    with pytest.raises(CommandError, match="--to"):
        move(to)


def test_a_shop_does_not_move_onto_itself():
    with pytest.raises(CommandError, match="in already"):
        move(settings.DATABASE_URL)


def test_a_server_that_is_away_changes_nothing(shop):
    with pytest.raises(CommandError, match="nothing was changed here"):
        move("postgres://127.0.0.1:1/cryptons?pool_timeout=1")
