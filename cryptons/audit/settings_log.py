"""Write into the audit log which settings have changed since the last start."""

import hashlib
import re

from cryptons import environment
from cryptons.audit.models import Entry
from cryptons.audit.writing import as_text, write
from cryptons.db import in_transaction

ACTION = "settings"
SECRET = re.compile(r"PASS|SECRET|KEY|MACAROON|TOKEN")
LOGIN_IN_ADDRESS = re.compile(r"//[^/@]*@")


def note_settings() -> None:
    """Compare the settings of this process with those that were last written. Of a secret only whether there is one is told."""
    now = {name: shown(name, value) for name, value in environment.given.items()}
    in_transaction(lambda: _note(now))


def _note(now: dict[str, str]) -> None:
    before: dict[str, str] = {}
    for changes in Entry.objects.filter(action=ACTION).order_by("at", "id").values_list("changes", flat=True):
        before |= {name: pair[1] for name, pair in changes.items()}
    changed = {name: (before.get(name, ""), value) for name, value in now.items() if before.get(name, "") != value}
    if changed:
        write(ACTION, "settings", changes=changed)


def shown(name: str, value: str) -> str:
    """Return the value as the log may have it: a descriptor, with which all addresses can be made, is only told apart by its hash."""
    if not value or SECRET.search(name):
        return "(set)" if value else ""
    if name.endswith("DESCRIPTOR"):
        return f"sha256 {hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return as_text(LOGIN_IN_ADDRESS.sub("//…@", value))
