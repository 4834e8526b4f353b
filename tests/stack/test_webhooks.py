"""The receivers of docs/webhooks.md verify, with the public libraries of Standard Webhooks, what a running shop sends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.programs import find
from tests.running import ROOT, Shop, free_port, wait_for
from tests.stack.buying import buy, stock_product

EVENTS = ["order.placed", "order.paid", "invoice.settled", "payment.settled", "stock.changed"]


@dataclass
class Receiver:
    program: str
    endpoint: str
    port: int
    log: Path

    @property
    def printed(self) -> list[list[str]]:
        """Type, id and seq of each event that it accepted."""
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @contextmanager
    def running(self, secret: str) -> Iterator[None]:
        libraries = Path(find("standardwebhooks", script="get-standardwebhooks.sh"))
        places = {"PYTHONPATH": str(libraries / "python"), "NODE_PATH": str(libraries / "node_modules")}
        environment = {"PATH": os.environ["PATH"], "WEBHOOK_SECRET": secret, "PORT": str(self.port), **places}
        command = [
            sys.executable if self.program.endswith(".py") else find("Node", "node", "nodejs"),
            ROOT / "docs/receivers" / self.program,
        ]
        with self.log.open("a") as log, subprocess.Popen(command, env=environment, stdout=log) as process:
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """In the sandbox."""
    settings = {"SANDBOX": "true", "FOLLOW_SECONDS": "1", "WEBHOOK_PRIVATE_HOSTS": "127.0.0.1"}
    shop = Shop(tmp_path / "shop", "--no-demo", **settings)
    shop.start()
    yield shop
    shop.stop()


def test_receivers_in_python_and_node_verify_what_the_shop_sends(shop: Shop, tmp_path: Path):
    product = stock_product(shop, stock=5)
    receivers, secrets = [], []
    for program in ("receiver.py", "receiver.cjs"):
        port = free_port()
        body = {"url": f"http://127.0.0.1:{port}/", "events": EVENTS}
        made = shop.http.post("/api/webhook-endpoints", headers=shop.staff(), json=body)
        assert made.status_code == 201, made.text
        receivers.append(Receiver(program, made.json()["data"]["id"], port, tmp_path / f"{program}.log"))
        secrets.append(made.json()["data"]["secret"])

    with receivers[0].running(secrets[0]), receivers[1].running(secrets[1]):
        for receiver in receivers:
            wait_for(f"{receiver.program} to listen", partial(listens, receiver.port))
            hang_up(receiver.port)
            rotated = shop.http.post(f"/api/webhook-endpoints/{receiver.endpoint}/rotate-secret", headers=shop.staff())
            assert rotated.status_code == 200, rotated.text  # the old secret, which the receiver has, still verifies
        bought = buy(shop, product)
        shop.http.post("/api/sandbox/pay", json={"invoiceId": bought.invoice, "play": "exact"})
        for receiver in receivers:
            wait_for(f"all events in {receiver.program}", partial(has_all, receiver))
        wait_for("the shop to note all answers", lambda: {row["status"] for row in deliveries(shop)} == {"delivered"})

    for receiver in receivers:
        assert len(receiver.printed) == len(EVENTS)
        assert [event for event, *_ in receiver.printed if event.startswith("order.")] == ["order.placed", "order.paid"]
    assert {(row["attempts"], row["responseStatus"]) for row in deliveries(shop)} == {(1, 204)}


def deliveries(shop: Shop) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shop.get("/api/webhook-deliveries", headers=shop.staff())
    return rows


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def hang_up(port: int) -> None:
    """End a request in the middle of its body: a receiver must survive that."""
    with socket.create_connection(("127.0.0.1", port)) as sender:
        sender.sendall(b"POST / HTTP/1.1\r\nHost: receiver\r\nContent-Length: 9\r\n\r\n{")


def has_all(receiver: Receiver) -> bool:
    return {event for event, *_ in receiver.printed} == set(EVENTS)
