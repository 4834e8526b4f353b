"""A catalogue that is read from PostgreSQL's replica, which is late, and then away."""

import shutil
from decimal import Decimal
from pathlib import Path

import psycopg

from tests.running import Shop, data_of_a_first_start, wait_for
from tests.servers import postgres, postgres_replica
from tests.stack.buying import order, stock_product


def test_orders_use_current_prices_while_a_late_replica_shows_old_ones(tmp_path: Path, server_folder: Path):
    primary = postgres(server_folder / "primary")
    late = postgres_replica(server_folder / "replica", primary)
    shop = Shop(tmp_path / "shop", "--no-demo", SANDBOX="true", **primary.settings, **late.settings)
    shutil.copytree(data_of_a_first_start(), shop.data)
    shop.start()

    def shown(product: str) -> Decimal:
        return Decimal(shop.get(f"/api/products/{product}", headers=shop.buyer())["price"])  # nobody with a token gets a kept answer

    try:
        product = stock_product(shop, stock=5, price="20.00")
        path = f"/p/{shop.get(f'/api/products/{product}')['slug']}/"

        with psycopg.connect(late.settings["DATABASE_REPLICA_URL"], autocommit=True) as connection:
            wait_for("the replica to know it", lambda: connection.execute("select 1 from shop_product where id = %s", [product]).fetchone())
            connection.execute("select pg_wal_replay_pause()")
            wait_for("the replica to stand still", lambda: paused(connection))
            changed = shop.http.patch(f"/api/products/{product}", headers=shop.staff(), json={"price": "30.00"})
            assert changed.status_code == 200
            assert shown(product) == 20
            sold = order(shop, product)
            assert sold.status_code == 201, sold.text
            assert Decimal(sold.json()["data"]["totalAmount"]) == 30
            newborn = stock_product(shop, stock=5, price="40.00")
            assert shown(newborn) == 40
            connection.execute("select pg_wal_replay_resume()")
        wait_for("the new price on every page", lambda: shown(product) == 30 and "30.00" in shop.http.get(path).text, seconds=10)

        late.kill()
        assert {shop.http.get(f"/search?q=thing&min_price=0.{n}").status_code for n in range(50)} == {200}
        assert shown(product) == 30
    finally:
        shop.stop()
        late.stop()
        primary.stop()


def paused(connection: psycopg.Connection) -> bool:
    row = connection.execute("select pg_get_wal_replay_pause_state()").fetchone()
    return row == ("paused",)
