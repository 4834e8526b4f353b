"""The whole shop with one command: prepare, then run web server and worker until Ctrl-C."""

import http.client
import os
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cryptons.serving import parent, preparation
from cryptons.serving.supervisor import POLL_SECONDS, StopRequested, StopSignal, Supervisor

FIRST_ANSWER_SECONDS = 60


class Command(BaseCommand):
    help = "Prepare the database, the static files and a first login, then run the web server and the worker until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave an empty shop empty")
        parser.add_argument("--end-with-parent", action="store_true", help="stop when the process that started this one is gone")

    def handle(self, *args: Any, no_demo: bool, end_with_parent: bool, **options: Any) -> None:
        if end_with_parent:
            parent.end_with_parent()
        stop = StopSignal()
        try:
            prepare(demo=not no_demo)
        except StopRequested:
            return
        stop.breaks_off = False
        supervisor = Supervisor(os.environ | {"DATA_DIR": str(settings.DATA_DIR)}, say)
        try:
            supervisor.start("web", [sys.executable, "-m", "cryptons.serving.web"])
            supervisor.start("worker", [sys.executable, "-m", "cryptons.serving.worker"])
            run(supervisor, stop)
            say("Stopping.")
        finally:
            supervisor.stop()


def run(supervisor: Supervisor, stop: StopSignal) -> None:
    """Watch the children until a stop is requested. The address is printed when the home page answers."""
    deadline = time.monotonic() + FIRST_ANSWER_SECONDS
    announced = False
    while not stop.requested:
        supervisor.look_after()
        if not announced and (status := home_page_status()) is not None:
            announce(status)
            announced = True
        elif not announced and time.monotonic() > deadline:
            say(f"The web server does not answer on {settings.HOST}:{settings.PORT}. Its messages are above.")
            announced = True
        time.sleep(POLL_SECONDS)


def say(text: str) -> None:
    print(text, flush=True)


def prepare(*, demo: bool) -> None:
    preparation.check_port(settings.HOST, settings.PORT)
    preparation.check_staff_settings()
    preparation.check_system()
    preparation.migrate()
    preparation.collect_static()
    preparation.close_sandbox()
    if demo:
        preparation.load_demo()
    preparation.create_staff()
    preparation.clean_queue()


def announce(status: int) -> None:
    if status >= 500:
        say(f"The home page answers with an error ({status}). Its messages are above.")
    say(f"{settings.SHOP_NAME} is open: {settings.PUBLIC_URL}/   staff: {settings.PUBLIC_URL}/admin/   Ctrl-C stops it.")


def home_page_status() -> int | None:
    """Return the status of the home page, or None while the server does not answer."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    client = http.client.HTTPConnection(host, settings.PORT, timeout=10)
    try:
        client.request("GET", "/", headers={"Host": f"localhost:{settings.PORT}"})
        return client.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        client.close()
