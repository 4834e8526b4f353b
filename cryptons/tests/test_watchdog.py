"""A worker or beat that hangs is ended at once; one that works, or waits for what cannot come, is left alone."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from celery.schedules import crontab
from django.conf import settings

from cryptons import watchdog
from cryptons.celery import app
from cryptons.serving.worker import BeatThread, read_queues
from cryptons.watchdog import BUSY_SECONDS, HANG_SECONDS, MemoryScheduler, Watch, look
from tests.running import LONGEST

pytestmark = pytest.mark.database

TURN, OTHER = "payments.tasks.follow_network", "payments.tasks.reconcile_books"


def reason(watch, *, broker=True):
    return look(watch, broker_answers=lambda: broker)


@pytest.fixture
def watch():
    return Watch(threads=2, expects_turns=True)


def test_a_worker_whose_turns_end_is_left_alone(watch):
    for turn in range(10):
        watch.begin(str(turn), TURN)
        watch.pass_time(HANG_SECONDS - 1)
        assert reason(watch) == ""
        watch.end(str(turn))


def test_a_turn_that_does_not_end_for_two_minutes_ends_any_worker(watch):
    watch = Watch(threads=8, expects_turns=False)
    watch.begin("1", TURN)
    watch.pass_time(HANG_SECONDS)

    assert "A turn of a follower has not ended for 120 seconds." in reason(watch, broker=False)


def test_a_worker_with_beat_that_ends_no_turn_for_two_minutes_ends(watch):
    watch.begin("1", OTHER)
    watch.end("1")
    watch.pass_time(HANG_SECONDS)

    assert "No turn of a follower has ended for 120 seconds." in reason(watch)


def test_a_worker_without_beat_waits_for_its_messages():
    watch = Watch(threads=2, expects_turns=False)
    watch.pass_time(10 * HANG_SECONDS)
    assert reason(watch) == ""


def test_a_worker_waits_while_its_broker_is_away_and_two_minutes_longer(watch):
    watch.pass_time(HANG_SECONDS)
    assert reason(watch, broker=False) == ""

    watch.pass_time(HANG_SECONDS - 1)
    assert reason(watch) == ""
    watch.pass_time(1)
    assert "No turn" in reason(watch)


def test_tasks_that_take_their_time_delay_turns_only_for_ten_minutes(watch):
    watch.begin("1", OTHER)
    watch.begin("2", OTHER)
    watch.pass_time(BUSY_SECONDS)
    assert reason(watch) == ""

    watch.pass_time(HANG_SECONDS)
    assert "No turn" in reason(watch)


def test_a_shop_that_polls_rarely_is_given_the_time_of_three_turns():
    watch = Watch(threads=2, expects_turns=True, turn_every=300)
    watch.pass_time(899)
    assert reason(watch) == ""
    watch.pass_time(1)
    assert "for 900 seconds" in reason(watch)


def beat_in_a_worker():
    return BeatThread(SimpleNamespace(app=app)).create(SimpleNamespace(app=app)).service.scheduler


def beat_alone():
    beat = app.Beat()
    return beat.Service(app, scheduler_cls=beat.scheduler_cls).scheduler


@pytest.mark.parametrize("made", [beat_in_a_worker, beat_alone])
def test_the_schedule_lies_in_memory_and_all_that_is_not_daily_is_due_at_the_start(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scheduler = made()

    assert isinstance(scheduler, MemoryScheduler)
    due = {name for name, entry in scheduler.schedule.items() if entry.is_due().is_due}
    daily = {name for name, entry in settings.CELERY_BEAT_SCHEDULE.items() if isinstance(entry["schedule"], crontab)}
    assert daily >= {"check audit", "reconcile books"}
    assert due == set(settings.CELERY_BEAT_SCHEDULE) - daily
    assert list(tmp_path.iterdir()) == []


def test_a_tick_of_beat_is_noticed(monkeypatch):
    ticks = []
    monkeypatch.setattr(MemoryScheduler, "on_tick", lambda: ticks.append(1))
    MemoryScheduler(app, lazy=True).tick()
    assert ticks == [1]


HANGING = """
import threading, time
from cryptons import watchdog
watchdog.HANG_SECONDS = watchdog.LOOK_SECONDS = 0.2
watch = watchdog.Watch(threads=1, expects_turns=True, turn_every=0)
threading.Thread(target=threading.Event().wait).start()  # as a pool's thread that never returns, which a clean exit waits for
watchdog.start(watch, broker_answers=lambda: True)
"""


def test_a_process_that_hangs_ends_hard_and_shows_where():
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=LONGEST, check=False
    )

    assert ended.returncode == watchdog.EXIT_CODE
    assert "This process ends, so that it is started again." in ended.stderr
    assert "most recent call first" in ended.stderr


@pytest.mark.parametrize("program", [["cryptons.serving.worker"], ["celery", "-A", "cryptons", "worker", "--pool=threads"]])
def test_a_worker_takes_messages_however_it_is_started(program, tmp_path):
    """Also by Celery's own command."""
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "CRYPTONS_DOTENV": "off", "LOG_LEVEL": "INFO"}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", *program], cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + LONGEST
        while "ready" not in (said := (tmp_path / "log").read_text()) and worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    assert "ready" in said
    assert "TypeError" not in said


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        ([], {}),
        (["--without-beat", "--queues=payouts"], {"queues": "payouts"}),
        (["--without-beat", "--exclude-queues=payouts,mail"], {"exclude_queues": "payouts,mail"}),
    ],
)
def test_a_worker_takes_the_queues_of_its_command_line(arguments, chosen):
    assert read_queues(arguments) == chosen


def test_a_worker_that_celery_starts_has_threads_too_because_only_they_are_watched():
    assert (app.conf.worker_pool, app.conf.worker_concurrency) == ("threads", settings.WORKER_THREADS)
