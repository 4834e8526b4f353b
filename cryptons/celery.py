"""The queue: a hint that makes work happen soon. What must happen is a row that one of these sweeps finds again."""

import logging
import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging
from kombu.exceptions import ChannelError, OperationalError
from kombu.transport import TRANSPORT_ALIASES

from cryptons.circuit_breaker import CircuitBreaker

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")

TRANSPORT_ALIASES["filesystem"] = "cryptons.file_queue:Transport"

WRITE_SECONDS = 0.5
"""Somebody may wait for a page while work is given away. Who takes it waits longer: see settings."""


class _Celery(Celery):
    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        patience = {"socket_timeout": WRITE_SECONDS, "socket_connect_timeout": WRITE_SECONDS, "max_retries": 0}
        return super().connection_for_write(url, transport_options=patience, **options)


app = _Celery("cryptons")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Celery leaves logging alone where this is listened to: the worker's lines are those of settings.LOGGING, as the web's are."""


_circuit = CircuitBreaker(rest_seconds=2)
"""Of the broker: somebody may wait for a page while work is queued."""


def enqueue(task: "Task[..., Any]", *arguments: Any, **options: Any) -> None:
    """Queue the task for a worker. When the broker is away the work is only delayed: the sweep of its kind finds it."""
    if not _circuit.allows():
        return
    try:
        task.apply_async(arguments, retry=False, **options)
    except (OperationalError, OSError) as error:
        _circuit.record_failure()
        logger.warning("the queue is away", extra={"error": str(error)[:200]})
    else:
        _circuit.record_success()


def queue_length() -> int:
    """Messages that wait for a worker. Raises OperationalError or OSError when the broker does not answer."""
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        channel: Any = connection.default_channel
        return sum(_length(channel, queue.name) for queue in app.conf.task_queues)


def _length(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except ChannelError:  # Redis forgets a queue that is empty
        return 0
