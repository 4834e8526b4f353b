"""The queue: a hint that makes work happen soon. What must happen is a row that one of these sweeps finds again."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")

TRANSPORT_ALIASES["filesystem"] = "cryptons.file_queue:Transport"

app = Celery("cryptons")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
