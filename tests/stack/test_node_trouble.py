"""What staff and buyers see while an LND is in trouble: each case in words, no page later than two seconds, no payment lost."""

import html
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.running import LONGEST, STAFF, Shop, in_time, wait_for
from tests.stack.bitcoind import Node
from tests.stack.buying import Bought, hidden, invoice_status, order, stock_product, wait_until_settled
from tests.stack.cable import Cable
from tests.stack.conftest import open_shop
from tests.stack.lightning import LightningPair

MOST_SECONDS = 2
"""No page takes longer."""


@dataclass
class World:
    shop: Shop
    pair: LightningPair
    cable: Cable
    """Between the shop's LND and its bitcoind."""
    certificate: Path
    macaroon: Path
    """What the shop reads; a test may put something else there."""
    product: str
    browser: httpx.Client
    """Of a member of staff."""

    def page(self, name: str) -> str:
        """The words of a page of the admin, which must not take long."""
        answer = in_time(name, lambda: self.browser.get(f"/admin/payments/cursor/{name}/"), seconds=MOST_SECONDS)
        assert answer.status_code == 200, answer.text
        return words(answer.text)

    def said_of(self, network: str) -> str:
        """What the Nodes page says of one network."""
        answer = in_time("nodes", lambda: self.browser.get("/admin/payments/cursor/nodes/"), seconds=MOST_SECONDS)
        (section,) = re.findall(rf'<section[^>]*"node-{network}">.*?</section>', answer.text, re.DOTALL)
        return words(section)

    def order(self) -> tuple[Bought, dict[str, Any]]:
        """A new order, which must not take long, with how it is to be paid."""
        answer = in_time("an order", lambda: order(self.shop, self.product), seconds=MOST_SECONDS)
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        payment = data["payment"]
        return Bought(data["id"], data["orderNumber"], payment["invoiceId"], payment["address"], payment["amount"]), payment

    def order_with_lightning(self) -> tuple[Bought, str]:
        def look() -> tuple[Bought, str] | None:
            bought, payment = self.order()
            return (bought, payment["lightning"]) if payment["lightning"] else None

        return wait_for("Lightning to be offered", look, seconds=90)

    def wait_until_said(self, look: Callable[[], str], *texts: str) -> None:
        """A busy LND may be asked in vain once."""
        wait_for(" and ".join(texts), lambda: all(text in said for text in texts) if (said := look()) else False, seconds=90)

    def wait_until_ready(self) -> None:
        wait_for("Lightning to be ready", lambda: "✓ Ready" in self.said_of("BTC-LN"), seconds=90)


def words(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture(scope="module")
def world(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("trouble")
    cable = Cable(node.port)
    pair = LightningPair(folder, node, password="kettle-and-thread")
    pair.shop.node = SimpleNamespace(host="127.0.0.1", port=cable.port, user=node.user, password=node.password)  # type: ignore[assignment]
    pair.start()
    settings = pair.shop.settings()
    certificate, macaroon = folder / "given.cert", folder / "given.macaroon"
    shutil.copy(settings["LND_TLS_CERT"], certificate)
    shutil.copy(settings["LND_MACAROON"], macaroon)
    settings |= {"LND_TLS_CERT": str(certificate), "LND_MACAROON": str(macaroon), "LIGHTNING_ROUND_SECONDS": "2"}
    for shop in open_shop(node, folder / "shop-data", settings):
        world = World(shop, pair, cable, certificate, macaroon, stock_product(shop, stock=1000), log_in(shop))
        world.wait_until_ready()
        yield world
    pair.stop()


@pytest.fixture
def shop(world: World) -> Shop:
    """For what it said, when a test fails."""
    return world.shop


def log_in(shop: Shop) -> httpx.Client:
    browser = httpx.Client(base_url=shop.url, follow_redirects=True, timeout=LONGEST)
    form = browser.get("/admin/")
    home = browser.post(form.url.path, data={**hidden(form), "name": STAFF["username"], "password": STAFF["password"]})
    assert home.url.path == "/admin/", home.text
    return browser


@contextmanager
def in_place_of(file: Path, other: Path) -> Iterator[None]:
    kept = file.read_bytes()
    file.write_bytes(other.read_bytes())
    try:
        yield
    finally:
        file.write_bytes(kept)


def wrong_macaroon(world: World) -> AbstractContextManager[None]:
    return in_place_of(world.macaroon, world.pair.payer.bake("of-another-node", ["info:read", "invoices:read", "invoices:write"]))


def wrong_certificate(world: World) -> AbstractContextManager[None]:
    return in_place_of(world.certificate, world.pair.payer.certificate)


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (wrong_macaroon, "LND refuses LND_MACAROON: it was made by another node, or was revoked."),
        (wrong_certificate, "LND shows another certificate than LND_TLS_CERT"),
    ],
)
def test_lightning_payments_settle_after_lnd_refused_the_shop_for_a_while(
    world: World, trouble: Callable[[World], AbstractContextManager[None]], says: str
):
    bought, request = world.order_with_lightning()

    with trouble(world):
        world.wait_until_said(lambda: world.said_of("BTC-LN"), "✕ Not available", says)
        world.wait_until_said(lambda: world.page("channels"), says)
        world.wait_until_said(lambda: world.said_of("BTC"), "✓ Ready")
        _, payment = world.order()
        assert payment["lightning"] is None
        assert payment["uri"].startswith("bitcoin:")
        assert world.pair.payer.pay(request)["status"] == "SUCCEEDED"
        assert invoice_status(world.shop, bought) == "new"

    wait_until_settled(world.shop, [bought])
    world.wait_until_ready()
    world.order_with_lightning()


def test_an_lnd_that_hangs_is_shown_to_staff_and_loses_no_payment(world: World):
    bought, request = world.order_with_lightning()

    world.pair.shop.freeze()
    try:
        world.wait_until_said(lambda: world.said_of("BTC-LN"), "does not answer in time")
        world.wait_until_said(lambda: world.page("channels"), "does not answer in time")
        world.wait_until_said(lambda: world.said_of("BTC"), "✓ Ready")
        assert world.order()[1]["lightning"] is None
        wait_for("the admin's first page to say it", lambda: "no answer since" in words(world.browser.get("/admin/").text), seconds=60)
    finally:
        world.pair.shop.thaw()

    world.wait_until_ready()
    assert world.pair.payer.pay(request)["status"] == "SUCCEEDED"
    wait_until_settled(world.shop, [bought])


def test_an_lnd_that_is_down_and_then_locked_is_shown_and_loses_no_payment(world: World):
    bought, request = world.order_with_lightning()
    lnd = world.pair.shop
    assert world.pair.payer.pay(request)["status"] == "SUCCEEDED"

    lnd.kill()
    world.wait_until_said(lambda: world.said_of("BTC-LN"), "no connection to LND_HOST. Is it running?")
    world.wait_until_said(lambda: world.page("channels"), "no connection to LND_HOST")
    assert world.order()[1]["lightning"] is None

    lnd.start(wait=False, locked=True)
    locked = "LND's wallet is locked: unlock it with `lncli unlock`."
    wait_for("LND to ask for its password", lambda: locked in world.said_of("BTC-LN"), seconds=60)
    world.wait_until_said(lambda: world.page("channels"), locked)
    assert world.order()[1]["lightning"] is None

    lnd.unlock()
    wait_for("LND to follow the chain", lambda: lnd.try_to("getinfo").get("synced_to_chain"), seconds=90)
    world.pair.connect()
    world.pair.wait_until_usable()
    wait_until_settled(world.shop, [bought])
    world.wait_until_ready()
    again, request = world.order_with_lightning()
    assert world.pair.payer.pay(request)["status"] == "SUCCEEDED"
    wait_until_settled(world.shop, [again])


def test_lightning_payments_settle_while_the_bitcoind_of_lnd_is_down(world: World):
    bought, request = world.order_with_lightning()

    world.cable.cut()
    try:
        said = wait_for("LND to lose its chain", lambda: lost(world.said_of("BTC-LN")), seconds=60)
        assert "Lightning payments still arrive and settle" in said
        assert "! Needs attention" in said
        world.wait_until_said(lambda: world.page("channels"), "✓ Active")
        assert world.pair.payer.pay(request)["status"] == "SUCCEEDED"
        wait_until_settled(world.shop, [bought])
        in_between, request = world.order_with_lightning()
        assert world.pair.payer.pay(request)["status"] == "SUCCEEDED"
        wait_until_settled(world.shop, [in_between])
        world.wait_until_said(lambda: world.said_of("BTC"), "✓ Ready")
    finally:
        world.cable.mend()

    world.wait_until_ready()


def lost(said: str) -> str:
    return said if "knows nothing of its chain" in said else ""


def test_invoices_of_a_replaced_lnd_settle_once_it_is_back(world: World):
    waiting, former_request = world.order_with_lightning()
    former, new = world.pair.shop, world.pair.payer
    settings = {name: world.shop.environment[name] for name in ("LND_HOST", "LND_TLS_CERT", "LND_MACAROON")}

    restart(world.shop, {name: value for name, value in new.settings().items() if name in settings})
    instead = f"{new.pubkey()} instead of {former.pubkey()}"
    said = wait_for("staff to be told", lambda: told(world.said_of("BTC-LN"), instead), seconds=60)
    assert "open invoice" in said
    assert new.pubkey() in said

    bought, request = world.order_with_lightning()
    assert former.pay(request)["status"] == "SUCCEEDED"
    wait_until_settled(world.shop, [bought])
    assert new.pay(former_request)["status"] == "SUCCEEDED"
    assert invoice_status(world.shop, waiting) == "new"

    restart(world.shop, settings)
    wait_until_settled(world.shop, [waiting])
    again, request = world.order_with_lightning()
    assert new.pay(request)["status"] == "SUCCEEDED"
    wait_until_settled(world.shop, [again])


def told(said: str, text: str) -> str:
    return said if text in said else ""


def restart(shop: Shop, settings: dict[str, str]) -> None:
    shop.stop()
    shop.environment |= settings
    shop.start()
