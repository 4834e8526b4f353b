"""What code says in a log record's `extra` is written."""

import re
from pathlib import Path

from django.conf import settings

from cryptons.logs import EXTRA_FIELDS

APPS = ("accounts", "cryptons", "payments", "reviews", "shop")


def test_each_field_that_a_log_record_has_is_written():
    files = [file for app in APPS for file in Path(settings.BASE_DIR, app).rglob("*.py") if "tests" not in file.parts]
    extras = re.findall(r"extra=\{(.*)\}\)", "\n".join(file.read_text(encoding="utf-8") for file in files))
    fields = set(re.findall(r'"(\w+)": ', "\n".join(extras)))

    assert "reference" in fields
    assert fields <= set(EXTRA_FIELDS)
