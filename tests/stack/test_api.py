"""One shop in the sandbox and those who build on its API: the examples of docs/api.md, generated clients, a fuzzer."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import find
from tests.running import BUYER, LONGEST, ROOT, STAFF, Shop, data_of_a_first_start, free_port, wait_for
from tests.stack.buying import ADDRESS, stock_product
from tests.stack.test_payouts import admin_of, press

EXAMPLES = ROOT / "docs/examples"
FUZZING = ROOT / "tests/stack/fuzzing"
FUZZ_EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")
"""How many requests are made up for each operation; without it few, and always the same."""
FUZZ_PHASES = os.environ.get("FUZZ_PHASES", "coverage,fuzzing,stateful")
"""What Schemathesis does of that: the edges of each schema, requests at random, chains of requests along the links."""
LINKED = "\n[phases.stateful.generation]\nmax-examples = 8\n\n[phases.stateful.inference]\nalgorithms = []\n"
"""Few requests follow only the links that the document names."""
STILL_KNOWN = {"user": "/api/auth/profile", "staff": "/api/auth/profile", "key": "/api/payments"}
"""What a login must still be good for when its run ends."""
BUYERS_ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    settings = {"SANDBOX": "true", "FOLLOW_SECONDS": "1", "WEBHOOK_PRIVATE_HOSTS": "127.0.0.1", "RATE_LIMIT_KEY": "1000000/minute"}
    shop = Shop(tmp_path_factory.mktemp("shop"), "--no-demo", **settings)
    shutil.copytree(data_of_a_first_start(), shop.data)
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture(scope="module", autouse=True)
def product(shop: Shop) -> str:
    return stock_product(shop, stock=1_000_000)


@pytest.fixture(scope="module")
def tools() -> Path:
    return Path(find("The tools of the API", script="get-api-tools.sh"))


@pytest.fixture(scope="module")
def document(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_text(shop.http.get("/api/schema").text)
    return file


def start(shop: Shop, key: str, log: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start an example, whose lines go to the file."""
    environment = {"PATH": os.environ["PATH"], "SHOP": shop.url, "API_KEY": key, "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        return subprocess.Popen([sys.executable, EXAMPLES / name, *arguments], env=environment, stdout=output)


def run(shop: Shop, key: str, log: Path, name: str, *arguments: str) -> list[str]:
    """Run an example to its end, and return the lines that it prints."""
    assert start(shop, key, log, name, *arguments).wait(LONGEST) == 0, log.read_text()
    return log.read_text().splitlines()


def make_key(shop: Shop, log: Path) -> str:
    (key,) = run(shop, "", log, "make_key.py", STAFF["email"], STAFF["password"])
    return key


def test_the_examples_of_the_documents_sell_watch_refund_synchronise_and_receive(shop: Shop, tmp_path: Path):
    log, received = tmp_path / "log", tmp_path / "received"
    key = make_key(shop, log)
    receiver = start(shop, key, received, "receive.py", str(free_port()))
    try:
        wait_for("the receiver to listen", lambda: "Waiting for events" in received.read_text())
        sold = run(shop, key, log, "sell.py", "thing")
        order, access_key = sold[-1].split()[-2:]
        watcher = start(shop, key, log, "watch.py", order, access_key)
        wait_for("the payment to be seen", lambda: " pending" in log.read_text() or " paid" in log.read_text())
        invoice = shop.get(f"/api/orders/{order}/payment", headers={"X-Order-Key": access_key})["invoiceId"]
        shop.http.post("/api/sandbox/pay", json={"invoiceId": invoice, "play": "confirm"})
        assert watcher.wait(LONGEST) == 0
        assert log.read_text().endswith(" paid\n")
        wait_for(
            "both events", lambda: [line.split()[0] for line in received.read_text().splitlines()[1:]] == ["order.placed", "order.paid"]
        )
    finally:
        receiver.terminate()
        receiver.wait()

    refund = start(shop, key, log, "refund.py", order, BUYERS_ADDRESS)
    page = wait_for("the draft", lambda: re.search(r"/admin/payments/payout/[0-9a-f-]+", log.read_text()))
    assert page
    press(admin_of(shop), f"{page[0]}/act/approve/")
    assert refund.wait(LONGEST) == 0
    assert log.read_text().splitlines()[-1].startswith("sent ")

    stock_product(shop, stock=2, price="20.00")
    copy = tmp_path / "catalogue.json"
    assert run(shop, key, log, "synchronise.py", str(copy)) == ["2 products read", "1 prices changed"]
    (read,) = run(shop, key, log, "synchronise.py", str(copy))  # the price is raised once
    assert read.endswith("products read")
    assert "21.00" in {product["price"] for product in json.loads(copy.read_text()).values()}


def test_a_generated_typescript_client_compiles_and_orders(shop: Shop, tools: Path, document: Path, tmp_path: Path):
    programs = tools / "node_modules/.bin"
    shutil.copy(ROOT / "tests/stack/api_clients/smoke.mts", tmp_path)
    strictly = ["--strict", "--noEmitOnError", "--skipLibCheck", "false", "--target", "es2022", "--module", "nodenext"]
    subprocess.run([programs / "openapi-typescript", document, "-o", tmp_path / "api.d.ts"], check=True)
    compiled = subprocess.run([programs / "tsc", *strictly, "smoke.mts"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stdout
    subprocess.run([find("Node", "node", "nodejs"), "smoke.mjs"], cwd=tmp_path, env={"SHOP": shop.url}, check=True)


def test_a_generated_python_client_has_the_right_types_and_orders(shop: Shop, tools: Path, document: Path, tmp_path: Path):
    python, smoke = tools / "python/bin/python", ROOT / "tests/stack/api_clients/smoke.py"
    environment = {"PATH": f"{tools}/python/bin:{os.environ['PATH']}"}
    command = [tools / "python/bin/openapi-python-client", "generate", "--meta", "none", "--fail-on-warning", "--path", document]
    subprocess.run([*command, "--output-path", tmp_path / "client_of_the_shop"], env=environment, check=True)
    paths = environment | {
        "MYPYPATH": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "SHOP": shop.url,
        "API_KEY": make_key(shop, tmp_path / "key"),
    }
    checked = ["-m", "mypy", "--strict", "--config-file=", f"--python-executable={python}", "--follow-imports=silent", smoke]
    subprocess.run([sys.executable, *checked], cwd=tmp_path, env=paths, check=True)
    subprocess.run([python, smoke], env=paths, check=True)


@pytest.mark.parametrize("who", ["anonymous", "user", "staff", "key"])
def test_made_up_requests_find_no_answer_that_the_document_does_not_describe(
    shop: Shop, tools: Path, document: Path, tmp_path: Path, who: str
):
    people = {"user": shop.buyer, "staff": shop.staff, "key": lambda: {"Authorization": f"Bearer {make_key(shop, tmp_path / 'key')}"}}
    headers = people[who]() if who in people else {}
    much = [f"--phases={FUZZ_PHASES}", f"--max-examples={FUZZ_EXAMPLES}", "--generation-database=none"]
    little = ["--phases=fuzzing,stateful", "--max-examples=2", "--generation-deterministic"]
    settings = tmp_path / "schemathesis.toml"
    settings.write_text((FUZZING / "schemathesis.toml").read_text() + ("" if FUZZ_EXAMPLES else LINKED))
    command = [tools / "python/bin/schemathesis", f"--config-file={settings}", "run", document]
    slowly = ["--request-timeout=60", "--suppress-health-check=too_slow"]
    options = [*slowly, f"--url={shop.url}", "--continue-on-failure", "--no-shrink", "--no-color", "--warnings=off"]
    sent = [f"--header={name}: {value}" for name, value in headers.items()]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(FUZZING),
        "SCHEMATHESIS_HOOKS": "hooks",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(tools / "hypothesis"),  # its table of all characters takes seconds to make
        "FUZZ_SHOP": shop.url,
        "FUZZ_KNOWN": json.dumps(known_fields(shop, stock_product(shop, stock=1_000_000))),  # a run before may have deleted the first
    }
    if login := {"user": BUYER, "staff": STAFF}.get(who):
        environment["FUZZ_LOGIN"] = json.dumps({name: login[name] for name in ("email", "password")})
    done = subprocess.run(
        [*command, *options, *(much if FUZZ_EXAMPLES else little), *sent],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(re.findall(r"\d+ generated.*|\d+ covered.*", done.stdout))
    if done.returncode:
        pytest.fail(f"{done.stdout[-8000:]}{done.stderr[-2000:]}", pytrace=False)
    if headers:
        assert shop.http.get(STILL_KNOWN[who], headers=headers).status_code == 200, "the run has ended its own login"


def known_fields(shop: Shop, product: str) -> dict[str, dict[str, Any]]:
    """Return the fields of bodies that cannot be made up, because the shop knows them, by the operation that takes them."""
    items, coin = [{"productId": product, "quantity": 1}], {"cryptocurrency": "BTC"}  # another may not be offered here: a 503
    return {
        "POST /api/orders": {"items": items, "shippingAddress": ADDRESS, "email": BUYER["email"], **coin},
        "POST /api/orders/{order_id}/payment": coin,
        "POST /api/checkout/quote": {"items": items, **coin},
        "POST /api/cart/items": items[0],
        "POST /api/products": {"category": shop.get(f"/api/products/{product}")["category"]["id"]},
        "POST /api/reviews": {"productId": product},
        "POST /api/webhook-endpoints": {"url": "http://127.0.0.1:9/"},
    }
