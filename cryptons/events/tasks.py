import threading
import time
from functools import partial
from uuid import UUID

from celery import shared_task
from django.db import connections
from django.utils import timezone

from cryptons.events import sending
from cryptons.failure_isolation import isolate

JOIN_SECONDS = 4

_lanes: dict[UUID, threading.Thread] = {}
"""The threads of this process that send, by endpoint."""


@shared_task
def sweep_webhooks() -> None:
    """Send the deliveries that are due, each endpoint's in a thread of its own. A slow endpoint's thread outlives the task."""
    started = []
    for endpoint_id in sending.due_lanes(at=timezone.now()):
        running = _lanes.get(endpoint_id)
        if running is None or not running.is_alive():
            _lanes[endpoint_id] = thread = threading.Thread(target=partial(_send, endpoint_id), name=f"webhook {endpoint_id}", daemon=True)
            thread.start()
            started.append(thread)
    ends = time.monotonic() + JOIN_SECONDS
    for thread in started:
        thread.join(max(0.0, ends - time.monotonic()))


def _send(endpoint_id: UUID) -> None:
    try:
        with isolate("sending webhooks", endpoint_id):
            sending.send_lane(endpoint_id, at=timezone.now())
    finally:
        _lanes.pop(endpoint_id, None)
        connections.close_all()


@shared_task
def forget_old_deliveries() -> None:
    sending.forget_old_deliveries(at=timezone.now())
