"""A shop moves from one database to another."""

import io
import sqlite3

import orjson
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from accounts.tests.factories import StaffFactory
from cryptons.data_transfer import differences, is_empty, read_lines
from cryptons.mail.models import Mail
from cryptons.tests.lonely_mongo import lonely_mongo
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


def test_move_data_copies_every_row_with_its_key_and_times_and_uses_no_replica_for_it(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_REPLICA_URL", "postgres://replica/cryptons")
    monkeypatch.setenv("DATABASE_READ_PREFERENCE", "secondary")
    file = tmp_path / "moved.sqlite3"
    shop.refresh_from_db()

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
    [(updated_at,)] = ask("select updated_at from shop_product")
    assert updated_at.startswith(f"{shop.updated_at:%Y-%m-%d %H:%M:%S}")


def test_a_database_with_a_single_row_in_any_table_is_not_empty():
    assert is_empty()
    Mail.objects.create(key="x", to="a@example.com", subject="x", text="x", html="x")
    assert not is_empty()


def test_move_data_reports_rows_and_sums_that_differ(shop):
    *_, tally = read_lines(lambda count: None)
    told = orjson.loads(tally)["rows"]
    assert differences(told) == []

    Product.objects.update(stock=6)
    CategoryFactory()

    assert sorted(differences(told)) == [
        "shop.Category: 2 rows were sent, 3 arrived.",
        "shop.Product.stock: the sum sent was 7, the sum received is 6.",
    ]


@pytest.mark.parametrize("to", ["oracle://db/x", "mongodb://host/"])
def test_move_data_refuses_an_invalid_target_url(to):
    with pytest.raises(CommandError, match="--to"):
        move(to)


def test_move_data_refuses_the_database_that_the_shop_uses_already():
    with pytest.raises(CommandError, match="uses already"):
        move(settings.DATABASE_URL)


def test_move_data_explains_an_unreachable_server_without_a_traceback(shop, capfd):
    with pytest.raises(CommandError, match=r"does not answer.* correct --to, and try again"):
        move("postgres://127.0.0.1:1/cryptons?pool_timeout=1")
    assert "Traceback" not in capfd.readouterr().err


def test_move_data_refuses_a_standalone_mongodb(shop):
    with lonely_mongo() as address, pytest.raises(CommandError, match="is standalone"):
        move(f"mongodb://{address}/cryptons")


def test_an_interrupted_move_to_a_server_can_be_started_again_and_a_finished_one_cannot(shop, tmp_path, monkeypatch, capfd):
    def lines_until_ctrl_c(progress):
        for line in read_lines(progress):
            yield line
            if b"shop.Product" in line:
                raise KeyboardInterrupt

    with database_of_its_own(tmp_path) as url:
        with monkeypatch.context() as broken, pytest.raises(CommandError, match="Interrupted"):
            broken.setattr("cryptons.management.commands.move_data.read_lines", lines_until_ctrl_c)
            move(url)
        assert "Traceback" not in capfd.readouterr().err

        assert "counts and sums agree" in move(url)
        with pytest.raises(CommandError, match="already has a shop, or a part of one"):
            move(url)
