"""Remove the keys of private links from the log, and from mails that staff read."""

import re
from collections.abc import MutableMapping
from typing import Any

KEYS = re.compile(r"(?<!/api)(/(?:refund|orders|account/link|reviews/no-mails)/|[?&;]order=)[^/&\s\"'<]{16,}")


def without_keys(text: str) -> str:
    """Replace the keys in the text by an ellipsis."""
    return KEYS.sub(r"\1…", text)


def redact_keys(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the keys in a log line. A structlog processor, also for Django's own lines."""
    for name in ("event", "exception", "path"):
        if isinstance(event.get(name), str):
            event[name] = without_keys(event[name])
    return event
