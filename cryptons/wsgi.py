import os

from django.core.wsgi import get_wsgi_application

from cryptons.signals import web_started

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")

application = get_wsgi_application()
web_started.send(sender=None)
