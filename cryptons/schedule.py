"""Which task runs when, and which queue it waits in.

A message that no worker took before it expires is dropped: the next run of the same task finds the same work.
"""

from datetime import UTC, datetime
from pathlib import Path

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue
from kombu.utils.url import parse_url

Entry = dict[str, object]

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

BROKERS = ("redis", "rediss", "redis+socket", "sentinel", "filesystem", "amqp", "amqps", "memory")

# Tasks that come in crowds have a queue of their own, so that the periodic tasks never wait behind them. A worker takes from all in turn.
QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("celery", "settling", "mails", "search", "payouts")]
ROUTES = {
    "payments.tasks.settle_invoices": {"queue": "settling"},
    "cryptons.mail.tasks.*": {"queue": "mails"},
    "cryptons.events.tasks.*": {"queue": "mails"},
    "shop.tasks.index_products": {"queue": "search"},
    # Tasks that spend money are for a worker with credentials of its own.
    "payments.tasks.send_payout": {"queue": "payouts"},
    "payments.tasks.sweep_payouts": {"queue": "payouts"},
    "payments.tasks.reconcile_payouts": {"queue": "payouts"},
}


def _every(seconds: int, task: str, *, expires: int = 0) -> Entry:
    # The first run is due at once: the schedule lies in memory, and a shop that starts must not wait for its first rates.
    return {"task": task, "schedule": seconds, "last_run_at": LONG_AGO, "options": {"expires": expires or seconds}}


def _daily(hour: int, minute: int, task: str) -> Entry:
    return {"task": task, "schedule": crontab(hour=str(hour), minute=str(minute)), "options": {"expires": 3600}}


def beat_schedule(*, follow_seconds: int, lightning_seconds: int) -> dict[str, Entry]:
    return {
        "follow networks": _every(follow_seconds, "payments.tasks.follow_networks"),
        "look after Lightning": _every(lightning_seconds, "payments.tasks.look_after_lightning", expires=30),
        "look after cards": _every(60, "payments.tasks.look_after_cards"),
        "sweep invoices": _every(5, "payments.tasks.sweep_invoices"),
        "sweep payouts": _every(5, "payments.tasks.sweep_payouts"),
        "sweep mails": _every(5, "cryptons.mail.tasks.sweep_mails"),
        "sweep webhooks": _every(5, "cryptons.events.tasks.sweep_webhooks"),
        "sweep link requests": _every(5, "accounts.tasks.sweep_link_requests"),
        "sweep order links": _every(5, "shop.tasks.sweep_order_links"),
        "sweep search": _every(10, "shop.tasks.sweep_search"),
        "sweep orders": _every(600, "shop.tasks.sweep_orders"),
        "count orders": _every(10, "shop.tasks.count_orders"),
        "seal audit": _every(60, "cryptons.audit.tasks.seal_audit"),
        "watch address gaps": _every(600, "payments.tasks.watch_address_gaps"),
        "ask for reviews": _every(3600, "reviews.tasks.ask_for_reviews"),
        "watch stock": _every(300, "shop.tasks.watch_stock"),
        "watch disk": _every(60, "payments.tasks.watch_disk"),
        "refresh rates": _every(60, "payments.tasks.refresh_stored_rates"),
        "forget old requests": _every(3600, "cryptons.tasks.forget_old_requests"),
        "forget old sessions": _every(3600, "cryptons.tasks.forget_old_sessions"),
        "forget old mails": _every(3600, "cryptons.mail.tasks.forget_old_mails"),
        "forget old deliveries": _every(3600, "cryptons.events.tasks.forget_old_deliveries"),
        "forget old webhooks": _every(3600, "payments.tasks.forget_old_webhooks"),
        "forget old tokens": _every(3600, "accounts.tasks.forget_old_tokens"),
        "forget old links": _every(3600, "accounts.tasks.forget_old_links"),
        "erase verification data": _every(3600, "accounts.verification.tasks.erase_verification_data"),
        "forget old carts": _every(3600, "shop.tasks.forget_old_carts"),
        "check audit": _daily(3, 47, "cryptons.audit.tasks.check_audit"),
        "reconcile books": _daily(4, 17, "payments.tasks.reconcile_books"),
        "recount ratings": _daily(3, 57, "reviews.tasks.recount_ratings"),
        "reconcile payouts": _daily(4, 37, "payments.tasks.reconcile_payouts"),
        "check figures": _daily(4, 57, "shop.tasks.check_figures"),
    }


def broker_url(given: str, redis_url: str) -> str:
    """Return the queue's address: CELERY_BROKER_URL, else Redis, else files. Redis on a Unix socket has another scheme for Celery."""
    if not given and redis_url.startswith("unix://"):
        path, _, options = redis_url.removeprefix("unix://").partition("?")
        return f"redis+socket://{path}" + (f"?virtual_host={options.removeprefix('db=')}" if options.startswith("db=") else "")
    url = given or redis_url or "filesystem://localhost"
    try:
        if not url.startswith(tuple(f"{scheme}://" for scheme in BROKERS)) or "#" in url:
            raise ValueError
        parse_url(url)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"CELERY_BROKER_URL must be an address such as redis://host:6379/0, and start with {', '.join(BROKERS)}."
            " Percent-encode what has a meaning in an address where it belongs to the password, such as # as %23 and / as %2F."
        ) from error
    return url


def broker_options(url: str, folder: Path) -> dict[str, object]:
    """Return the transport options of the broker; for a queue of files its folders are created."""
    if url.startswith(("redis", "rediss")):
        return {"socket_connect_timeout": 1, "socket_timeout": 5, "health_check_interval": 10}
    if not url.startswith("filesystem://"):
        return {}
    messages, control = folder / "messages", folder / "control"
    try:
        for path in (messages, control):
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR must be a folder that can be written; {folder} cannot ({error}).") from error
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "polling_interval": 0.1,
    }
