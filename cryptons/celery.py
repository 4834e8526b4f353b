"""The job queue. A message only makes work happen sooner: the work itself is a row that a periodic sweep finds."""

import logging
import os
import threading
from typing import Any

from celery import Celery, Task
from celery.signals import beat_init, setup_logging, task_postrun, task_prerun, worker_init
from django.conf import settings
from kombu.exceptions import ChannelError, OperationalError
from kombu.transport import TRANSPORT_ALIASES

from cryptons import watchdog
from cryptons.circuit_breaker import CircuitBreaker
from cryptons.watchdog import MemoryScheduler, Watch

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")

TRANSPORT_ALIASES["filesystem"] = "cryptons.file_queue:Transport"

BEAT_STEP = "BeatThread"
"""The name of the worker's step that runs beat."""

WRITE_SECONDS = 0.5
"""A short time-out for sending, because a visitor may be waiting for a page. Workers wait longer: see settings."""


class _Celery(Celery):
    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        timeouts = {"socket_timeout": WRITE_SECONDS, "socket_connect_timeout": WRITE_SECONDS, "max_retries": 0}
        given = options.pop("transport_options", None) or {}
        return super().connection_for_write(url, transport_options={**timeouts, **given}, **options)


app = _Celery("cryptons")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Keep settings.LOGGING in the worker: Celery leaves logging alone if this signal has a receiver."""


@worker_init.connect
def watch_worker(sender: Any = None, **_: Any) -> None:
    """End the worker when it hangs."""
    with_beat = BEAT_STEP in {step.__name__ for step in app.steps["worker"]}
    watch = Watch(threads=settings.WORKER_THREADS, expects_turns=with_beat, turn_every=settings.FOLLOW_SECONDS)
    task_prerun.connect(lambda task_id, task, **_: watch.begin(task_id, task.name), weak=False)
    task_postrun.connect(lambda task_id, **_: watch.end(task_id), weak=False)
    watchdog.start(watch, broker_answers=broker_answers)


@beat_init.connect
def watch_beat(sender: Any = None, **_: Any) -> None:
    """End a beat that has a process of its own when it hangs; the one in a worker is watched by its turns."""
    if threading.current_thread() is threading.main_thread():
        watch = Watch(threads=1, expects_turns=True)
        MemoryScheduler.on_tick = watch.reset
        watchdog.start(watch, broker_answers=broker_answers)


def broker_answers() -> bool:
    try:
        queue_length()
    except (OperationalError, OSError):
        return False
    return True


_circuit = CircuitBreaker(rest_seconds=2)
"""Protects pages from a broker that does not answer."""


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
    """Count the messages that wait for a worker. Raises OperationalError or OSError when the broker does not answer."""
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        channel: Any = connection.default_channel
        return sum(_length(channel, queue.name) for queue in app.conf.task_queues)


def _length(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except ChannelError:  # Redis forgets a queue that is empty
        return 0
