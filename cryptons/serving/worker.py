"""The queue's worker with beat in a thread of it: `python -m cryptons.serving.worker`; where beat runs elsewhere, `--without-beat`.

It takes all queues; `--exclude-queues=payouts` leaves payouts to a worker with `--queues=payouts`, the only one with credentials to spend.

It is one process with threads, so that a kill ends all of it, also its schedule.
"""

import logging
import os
import sys
import threading
import warnings
from typing import Any

from celery import bootsteps
from celery.beat import EmbeddedService
from celery.exceptions import SecurityWarning
from django.core.exceptions import ImproperlyConfigured

from cryptons.serving.garbage import collect_rarely, load_without_collections
from cryptons.serving.parent import end_with_parent
from cryptons.watchdog import MemoryScheduler, end_hard


class BeatThread(bootsteps.StartStopStep):
    """Runs beat in a thread. Celery's own `--beat` starts a second process, which stays behind when the worker is killed."""

    requires = ("celery.worker.components:Pool",)

    def create(self, worker: Any) -> Any:
        return EmbeddedService(worker.app, thread=True, scheduler_cls=MemoryScheduler)


def end_without_beat(error: threading.ExceptHookArgs) -> None:
    """End the worker at once if beat fails: it would look alive and never sweep again. The supervisor restarts it.

    A warm shutdown would wait for beat's thread, which is dead.
    """
    threading.__excepthook__(error)
    if error.thread is not None and error.thread.name == "Beat":
        end_hard("Beat has failed.")


def read_queues(arguments: list[str]) -> dict[str, str]:
    """Return the options of Celery's worker for the queues that the command line includes or excludes."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    names = {"queues": "--queues", "exclude_queues": "--exclude-queues"}
    return {name: given[option] for name, option in names.items() if option in given}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
    end_with_parent()
    load_without_collections()
    warnings.simplefilter("ignore", SecurityWarning)  # warns of root because of pickle; our messages are JSON
    try:
        from django.conf import settings

        from cryptons.celery import app

        threads = settings.WORKER_THREADS
    except ImproperlyConfigured as error:
        sys.exit(f"Cryptons cannot start: {error}")
    if "--without-beat" not in sys.argv:
        threading.excepthook = end_without_beat
        app.steps["worker"].add(BeatThread)
    # Not `app.worker_main`: to load Celery's command line takes a third of the worker's start, and 8 MB.
    worker = app.Worker(
        **read_queues(sys.argv[1:]),
        pool_cls="threads",
        concurrency=threads,
        loglevel=logging.WARNING,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    collect_rarely()
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
