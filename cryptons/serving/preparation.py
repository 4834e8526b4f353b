"""The steps before the shop can serve. Each is quick if there is nothing to do."""

import errno
import hashlib
import secrets
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.contrib.staticfiles.finders import get_finders
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from cryptons.audit import settings_log
from cryptons.audit.acting import untold
from cryptons.email_domain import validate_mail_address
from cryptons.serving.certificate import certificate_problem


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title, a dot for each second of the block, and how long it took."""
    done = threading.Event()

    def tick() -> None:
        while not done.wait(1):
            print(".", end="", flush=True)

    print(f"{title} ", end="", flush=True)
    started = time.monotonic()
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    except BaseException:
        done.set()
        print(flush=True)
        raise
    done.set()
    ticker.join()
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def check_certificate(certificate: str, key: str) -> None:
    if certificate and (problem := certificate_problem(certificate, key)):
        raise ImproperlyConfigured(f"TLS_CERTIFICATE and TLS_KEY must be readable PEM files that belong together ({problem}).")


def check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ImproperlyConfigured(
                f"port {port} on {host} is in use. Stop the program that uses it, or choose another port: make run PORT={port + 1}"
            ) from error
        if error.errno == errno.EACCES:
            raise ImproperlyConfigured(f"this user may not open PORT {port}. Choose one above 1023: make run PORT=8000") from error
        raise ImproperlyConfigured(f"HOST must be an address of this machine, not {host!r} ({error.strerror or error}).") from error


def check_system() -> None:
    """Run Django's checks and ours. An error stops the start, a warning is printed."""
    messages = checks.run_checks(databases=["default"])
    for warning in messages:
        if not warning.is_serious() and warning.level >= checks.WARNING:
            print(f"Warning: {warning.msg}", file=sys.stderr)
    problems = [str(error.msg) for error in messages if error.is_serious()]
    if problems:
        raise ImproperlyConfigured(" ".join(problems))


def migrate() -> None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        with step(f"Bringing the database up to date ({len(plan)} migrations)"):
            call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Collect the static files if one was added, changed or removed since the last time, by name, size and time.

    Also if a collected one is no longer as it was, because a power cut leaves files empty that were just written.
    """
    stamp, collected = Path(settings.DATA_DIR) / "static.stamp", Path(settings.STATIC_ROOT)
    sources = [(str(storage.location), Path(storage.path(path))) for finder in get_finders() for path, storage in finder.list([])]
    fingerprint = hashlib.sha256()
    for location, file in sources:
        status = file.stat()
        fingerprint.update(f"{location}|{file}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    if stamp.is_file() and stamp.read_bytes().decode(errors="replace") == f"{fingerprint.hexdigest()} {_sizes(collected)}":
        return
    with step(f"Preparing {len(sources)} static files"):
        (collected / "staticfiles.json").unlink(missing_ok=True)  # Django stops at one that is empty
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(f"{fingerprint.hexdigest()} {_sizes(collected)}", encoding="utf-8")


def _sizes(folder: Path) -> str:
    """Return a hash of the sizes of all files in the folder, by name."""
    lines = sorted(f"{file.relative_to(folder)}|{file.stat().st_size}\n" for file in folder.rglob("*") if file.is_file())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def load_demo() -> None:
    """Load the demo catalogue into an empty shop of the sandbox, once: a shop that its owner emptied stays empty."""
    stamp = Path(settings.DATA_DIR) / "demo.stamp"
    if stamp.exists():
        return
    with untold():
        call_command("load_demo", if_empty=True)
    stamp.touch()


def keep_currency() -> None:
    call_command("keep_currency")


def make_groups() -> None:
    call_command("make_groups")


def note_settings() -> None:
    """Write into the audit log which settings have changed."""
    settings_log.note_settings()


def close_sandbox() -> None:
    """Close the invoices of the sandbox if the shop takes real money now, and say so."""
    call_command("close_sandbox")


def clean_queue() -> None:
    """Delete the messages of an earlier run. The work is in the database, and the sweeps find it."""
    if settings.CELERY_BROKER_URL.startswith("filesystem://"):
        for name in ("data_folder_in", "control_folder"):
            folder = Path(str(settings.CELERY_BROKER_TRANSPORT_OPTIONS[name]))
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)


def create_staff() -> None:
    """Create the first member of staff if there is none. A generated password is printed once."""
    users = get_user_model()._default_manager
    if users.filter(is_staff=True).exists():
        return
    username = settings.ADMIN_USERNAME
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    email = settings.ADMIN_EMAIL or f"{username}@localhost"
    check_staff_settings()
    users.create_superuser(username=username, email=email, password=password)
    print(f"\n  Staff login   {username}")
    print(
        f"  Password      {'as set in ADMIN_PASSWORD' if settings.ADMIN_PASSWORD else password + '   (shown only once: write it down)'}\n"
    )


def check_staff_settings() -> None:
    try:
        get_user_model()._meta.get_field("username").clean(settings.ADMIN_USERNAME, None)
    except ValidationError as error:
        raise ImproperlyConfigured("ADMIN_USERNAME cannot be used. " + " ".join(error.messages)) from error
    if settings.ADMIN_EMAIL:
        try:
            validate_mail_address(settings.ADMIN_EMAIL)
        except ValidationError as error:
            raise ImproperlyConfigured(f"ADMIN_EMAIL must be a mail address, not {settings.ADMIN_EMAIL!r}.") from error
    if settings.ADMIN_PASSWORD:
        try:
            validate_password(settings.ADMIN_PASSWORD)
        except ValidationError as error:
            raise ImproperlyConfigured("ADMIN_PASSWORD cannot be used. " + " ".join(error.messages)) from error
