#!/usr/bin/env python
"""Django's command line for Cryptons."""

import os
import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from cryptons.serving.defaults import offer_the_sandbox


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
    try:
        if sys.argv[1:2] == ["serve"]:
            offer_the_sandbox(Path(__file__).with_name(".env"))
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Cryptons cannot start: {error}")


if __name__ == "__main__":
    main()
