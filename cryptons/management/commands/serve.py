"""The whole shop with one command: prepare, then run web server and worker until Ctrl-C."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cryptons.serving import parent, preparation
from cryptons.serving.listening import Listening
from cryptons.serving.supervisor import Shop, StopRequested, StopSignal


class Command(BaseCommand):
    help = "Prepare the database, the static files and a first login, then run the web server and the worker until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave an empty shop empty")
        parser.add_argument("--end-with-parent", action="store_true", help="stop when the process that started this one is gone")

    def handle(self, *args: Any, no_demo: bool, end_with_parent: bool, **options: Any) -> None:
        if end_with_parent:
            parent.end_with_parent()
        StopSignal(breaks_off=True)
        try:
            prepare(demo=not no_demo)
        except StopRequested:
            return
        shop = Shop(settings.SHOP_NAME, settings.PUBLIC_URL, Listening.from_settings())
        shop.replace_process(os.environ | {"DATA_DIR": str(settings.DATA_DIR)})


def prepare(*, demo: bool) -> None:
    preparation.check_certificate(settings.TLS_CERTIFICATE, settings.TLS_KEY)
    preparation.check_port(settings.HOST, settings.PORT)
    if settings.HTTP_REDIRECT_PORT and settings.TLS_CERTIFICATE:
        preparation.check_port(settings.HOST, settings.HTTP_REDIRECT_PORT)
    preparation.check_staff_settings()
    preparation.check_system()
    preparation.migrate()
    preparation.keep_currency()
    preparation.note_settings()
    preparation.make_groups()
    preparation.collect_static()
    preparation.close_sandbox()
    if demo:
        preparation.load_demo()
    preparation.create_staff()
    preparation.clean_queue()
