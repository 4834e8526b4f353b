#!/usr/bin/env python3
"""Django's command line for Cryptons."""

import os
import sys
from pathlib import Path

from payments.sync.notify_trigger import trigger


def main() -> None:
    root = Path(__file__).resolve().parent
    if sys.argv[1:2] == ["notify_payment"] and trigger(sys.argv[2:], root):
        return
    if sys.argv[1:] == ["version"]:  # Django would print its own
        from cryptons.version import VERSION

        print(VERSION)
        return
    from cryptons.serving.garbage import collect_rarely

    collect_rarely()  # already now: to load Django and to migrate makes much that stays
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import Error as DatabaseError
    from pymongo.errors import PyMongoError

    from cryptons.audit.acting import acting
    from cryptons.serving.defaults import enable_sandbox_without_node

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
    try:
        if sys.argv[1:2] == ["serve"]:
            enable_sandbox_without_node(root / ".env")
        with acting(sys.argv[1] if len(sys.argv) > 1 else "help"):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Cryptons cannot start: {error}")
    except OSError as error:
        if not error.filename or sys.argv[1:2] not in (["serve"], ["prepare"]) or "--traceback" in sys.argv:
            raise
        sys.exit(f"Cryptons cannot start: {error.filename} cannot be used ({error.strerror}). DATA_DIR must be writable for this user.")
    except (DatabaseError, PyMongoError) as error:
        from cryptons.checks import database_problem

        problem = database_problem(error)
        if not problem or "--traceback" in sys.argv:
            raise
        sys.exit(problem)


if __name__ == "__main__":
    main()
