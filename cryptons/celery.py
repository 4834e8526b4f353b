"""The queue: a hint that makes work happen soon. What must happen is a row that one of these sweeps finds again."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")

app = Celery("cryptons")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
