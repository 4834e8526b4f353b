"""Which task runs when, and which queue it waits in."""

import pytest
from django.utils.module_loading import autodiscover_modules

from cryptons.celery import app
from cryptons.schedule import QUEUES, ROUTES, beat_schedule, broker_options

SCHEDULE = beat_schedule(follow_seconds=7, lightning_seconds=40)


@pytest.fixture(scope="module")
def tasks():
    autodiscover_modules("tasks")
    return set(app.tasks)


@pytest.mark.parametrize("name", SCHEDULE)
def test_each_scheduled_task_exists_and_its_message_expires(name, tasks):
    entry = SCHEDULE[name]

    assert entry["task"] in tasks
    assert entry["options"]["expires"] > 0


@pytest.mark.parametrize("pattern", ROUTES)
def test_each_task_route_matches_existing_tasks_and_a_known_queue(pattern, tasks):
    assert any(task.startswith(pattern.removesuffix("*")) for task in tasks)
    assert ROUTES[pattern]["queue"] in {queue.name for queue in QUEUES}


def test_the_polling_interval_of_networks_is_a_setting():
    assert [SCHEDULE[name]["schedule"] for name in ("follow networks", "look after Lightning")] == [7, 40]


def test_the_file_queue_creates_its_folders(tmp_path):
    options = broker_options("filesystem://localhost", tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["control", "messages"]
    assert options["data_folder_in"] == options["data_folder_out"] == str(tmp_path / "messages")


@pytest.mark.parametrize(("url", "known"), [("redis://localhost/0", {"socket_timeout"}), ("amqp://localhost", set())])
def test_other_brokers_create_no_folders(url, known, tmp_path):
    assert known <= set(broker_options(url, tmp_path))
    assert list(tmp_path.iterdir()) == []
