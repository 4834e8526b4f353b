"""Loaded by pytest before Django's settings: the suite sees no setting of this machine and writes only to a folder of its own."""

import atexit
import gc
import os
import shutil
import tempfile

gc.disable()  # until all tests are collected: see conftest.py

KEPT = {"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "CI", "SEQUENCES"}

for name in set(os.environ) - KEPT:
    if not name.startswith(("PYTEST_", "STACK_", "HYPOTHESIS_", "COV_")):
        del os.environ[name]

if "STACK_DATABASE_URL" in os.environ:
    os.environ["DATABASE_URL"] = os.environ["STACK_DATABASE_URL"]

if "STACK_ELASTICSEARCH_URL" in os.environ:
    os.environ["ELASTICSEARCH_URL"] = os.environ["STACK_ELASTICSEARCH_URL"]

if "STACK_REDIS_URL" in os.environ:  # each of pytest's workers has a database of its own in it
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    os.environ["REDIS_URL"] = f"{os.environ['STACK_REDIS_URL'].rstrip('/')}/{number}"

_folder = tempfile.mkdtemp(prefix="cryptons-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(
    DATA_DIR=_folder,
    SECRET_KEY="for-tests-only-" + "x" * 40,
    SANDBOX="true",
    DJANGO_SETTINGS_MODULE="cryptons.settings",
    CRYPTONS_DOTENV="off",
    UNPAID_ORDERS="0",  # one mail address places all orders of a test
    RATE_LIMIT_CART="1000000/minute",
    RATE_LIMIT_CHECKOUT="1000000/minute",
    RATE_LIMIT_ORDER_MAILS="1000000/minute",
)
