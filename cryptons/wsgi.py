import os

import django

from cryptons.signals import web_started

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")

django.setup(set_prefix=False)

from cryptons.handler import Handler  # noqa: E402  # it needs the settings

application = Handler()
web_started.send(sender=None)
