"""The whole shop as a person starts it: `manage.py serve` in processes of its own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.running import LONGEST, PATIENCE, ROOT, Shop, children, data_of_a_first_start, wait_for


@pytest.fixture
def shop(tmp_path: Path):
    """A shop that was started before: its next start is quick."""
    shop = Shop(tmp_path, "--no-demo")
    shutil.copytree(data_of_a_first_start(), shop.data)
    yield shop
    if shop.process is not None and shop.process.poll() is None:
        shop.stop()


def family(pid: int) -> set[int]:
    return {pid}.union(*(family(child) for child in children(pid)))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second when it ends between opening and reading
        return False


def start_and_fail(shop: Shop) -> str:
    """What it said. It must end with exit code 1, without a signal."""
    ended = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=shop.environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    assert ended.returncode == 1
    return ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process_of_the_shop(shop: Shop, number: signal.Signals):
    shop.start()
    assert shop.process is not None
    wait_for("web and worker", lambda: shop.child("web") and shop.child("worker"))
    processes = family(shop.process.pid)
    assert len(processes) >= 3

    shop.process.send_signal(number)

    assert shop.process.wait(LONGEST) == 0
    wait_for("all processes to end", lambda: not [pid for pid in processes if is_running(pid)])
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", shop.port)) != 0


def test_killing_the_supervisor_ends_all_of_its_processes(shop: Shop):
    before = last_turn(shop)
    shop.start()
    assert shop.process is not None
    wait_for("the worker to work", lambda: last_turn(shop) != before)  # until it does, it may not yet know whose end is its own
    processes = family(shop.process.pid)

    shop.process.kill()
    shop.process.wait()

    wait_for("all processes to end", lambda: not [pid for pid in processes if is_running(pid)])


def answers(shop: Shop) -> bool:
    try:
        return shop.http.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_process_that_dies_is_restarted_with_a_message(shop: Shop, name: str):
    shop.start()
    first = wait_for(name, lambda: shop.child(name))

    os.kill(first, signal.SIGKILL)

    wait_for("another one", lambda: shop.child(name) not in (None, first))
    assert f"The {name} process ended (signal SIGKILL)." in shop.said()
    wait_for("the shop to answer", lambda: answers(shop))


HANG_SECONDS = 3 * PATIENCE
HANGING = """
import os, time
from celery.signals import task_prerun
from cryptons import watchdog

def hang(**_):
    if os.path.exists(os.environ["HANG"]):
        time.sleep(3600)

watchdog.HANG_SECONDS = SECONDS
task_prerun.connect(hang, weak=False)
"""


def test_a_worker_whose_tasks_never_end_is_killed_and_restarted(shop: Shop, tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(HANGING.replace("SECONDS = SECONDS", f"SECONDS = {HANG_SECONDS}"))
    hang = tmp_path / "hang"
    hang.touch()
    shop.environment |= {"PYTHONPATH": f"{tmp_path}:{ROOT}", "HANG": str(hang), "FOLLOW_SECONDS": "1"}
    shop.start()
    first = wait_for("worker", lambda: shop.child("worker"))

    wait_for("another worker", lambda: shop.child("worker") not in (None, first))
    hang.unlink()

    said = shop.said()
    # Which of the two is seen first depends on whether a thread was free for a turn at all.
    hung = (
        f"No turn of a follower has ended for {HANG_SECONDS} seconds.",
        f"A turn of a follower has not ended for {HANG_SECONDS} seconds.",
    )
    assert any(words in said for words in hung)
    wait_for("a turn", lambda: last_turn(shop))


def last_turn(shop: Shop) -> object:
    with contextlib.closing(sqlite3.connect(shop.data / "cryptons.sqlite3", timeout=LONGEST)) as database:
        return database.execute("select max(answered_at) from payments_cursor").fetchone()[0]


@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_a_damaged_schedule_of_a_former_version_stops_no_worker(shop: Shop, content: bytes):
    for name in ("beat-schedule", "beat-schedule.dat", "beat-schedule.dir", "beat-schedule.db"):
        (shop.data / name).write_bytes(content)
    before = last_turn(shop)

    shop.start()

    wait_for("a turn", lambda: last_turn(shop) != before)


def test_a_second_start_keeps_the_data_and_prints_no_password(tmp_path: Path):
    shop = Shop(tmp_path, "--no-demo")
    del shop.environment["ADMIN_PASSWORD"]
    shop.start()
    assert shop.said().count("Password") == 1
    kept = users(shop)
    shop.stop()
    told = len(shop.said())

    shop.start()

    assert users(shop) == kept
    assert [name for name, *_ in kept] == ["admin"]
    assert "Password" not in shop.said(told)
    assert "database up to date" not in shop.said(told)
    assert "static files" not in shop.said(told)
    shop.stop()


def test_static_files_that_a_power_cut_left_empty_are_collected_again(shop: Shop):
    shop.start()
    shop.stop()
    collected = [file for file in (shop.data / "static").rglob("*") if file.is_file()]
    emptied = [shop.data / "static" / "staticfiles.json", *(file for file in collected if file.suffix == ".css")]
    for file in emptied:
        file.write_bytes(b"")

    shop.start()

    assert all(file.stat().st_size for file in emptied)


def users(shop: Shop) -> list[tuple[str, str]]:
    with sqlite3.connect(shop.data / "cryptons.sqlite3") as database:
        return database.execute("select username, password from accounts_user order by username").fetchall()


def test_messages_and_bindings_of_an_earlier_run_are_dropped(shop: Shop):
    (shop.data / "queue" / "messages" / "1_a.celery.msg").write_text('{"body": "old"}')
    (shop.data / "queue" / "control" / "celery.exchange").write_text("half-wri")

    shop.start()

    assert not (shop.data / "queue" / "messages" / "1_a.celery.msg").exists()
    bindings = shop.data / "queue" / "control" / "celery.exchange"
    wait_for("the worker's own binding", lambda: bindings.exists() and json.loads(bindings.read_text()))


def test_a_relative_data_folder_is_the_same_for_every_process(tmp_path: Path):
    shop = Shop(tmp_path, "--no-demo", DATA_DIR=os.path.relpath(tmp_path / "data", ROOT))
    shop.start()
    try:
        assert shop.http.get("/healthz").status_code == 200
    finally:
        shop.stop()
    assert (tmp_path / "data" / "cryptons.sqlite3").is_file()


def test_a_port_in_use_stops_the_start_with_instructions(shop: Shop):
    with socket.create_server(("127.0.0.1", shop.port)):
        said = start_and_fail(shop)

    assert said == (
        f"Cryptons cannot start: port {shop.port} on 127.0.0.1 is in use. "
        f"Stop the program that uses it, or choose another port: make run PORT={shop.port + 1}\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FOLLOW_SECONDS", "often"),
        ("HOST", "192.0.2.1"),
        ("ADMIN_PASSWORD", "short"),
        ("ADMIN_EMAIL", "nobody"),
        ("BITCOIN_RPC_HOST", "node"),
        ("LITECOIN_RPC_HOST", "node"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(tmp_path: Path, name: str, value: str):
    shop = Shop(tmp_path, "--no-demo", **{name: value})

    said = start_and_fail(shop)

    assert said.startswith("Cryptons cannot start: ")
    assert said.count("\n") == 1
    assert name.removesuffix("_HOST") in said
    assert not (shop.data / "cryptons.sqlite3").exists()


def test_a_mistyped_xrp_address_stops_the_start(tmp_path: Path):
    said = start_and_fail(Shop(tmp_path, "--no-demo", XRP_URL="http://127.0.0.1:1", XRP_ADDRESS="rh5tgDURCVSG9ggE2oS6rx8wptFGSghAnx"))

    assert said.startswith("Cryptons cannot start: XRP_ADDRESS must be your account's address")
    assert said.count("\n") == 1


def test_response_headers_do_not_name_the_server_software(shop: Shop):
    shop.start()

    answer = shop.http.get("/")

    assert answer.headers.get("Server", "") == ""
    assert "X-Powered-By" not in answer.headers


@pytest.mark.parametrize("command", [["export_ledger"], ["reconcile"], ["serve"], ["migrate"]])
def test_a_command_whose_database_cannot_be_opened_says_so_in_a_sentence(tmp_path: Path, command: list[str]):
    shop = Shop(tmp_path, SANDBOX="true")
    (shop.data / "cryptons.sqlite3").mkdir(parents=True)

    ended = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=shop.environment, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "cannot be opened. Check that this user may read and write the folder DATA_DIR." in ended.stderr
    assert "Traceback" not in ended.stderr
