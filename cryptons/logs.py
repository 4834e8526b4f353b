"""The log: one line an event, to the standard error."""

import logging
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

from cryptons.log_redaction import redact_keys

EXTRA_FIELDS = ["method", "path", "status", "ms", "network", "coin", "source", "error", "reference", "head", "problem", "products"]
"""What of a log record's `extra` is written."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that this thread answers, or has answered last."""


def add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the request in a log line. structlog's own contextvars look through all variables of the thread for it."""
    if request := request_id.get():
        event["request_id"] = request
    return event


class WithoutRefusals(logging.Filter):
    """Leaves out the traceback of a request that was refused: it is no fault of the shop."""

    def filter(self, record: logging.LogRecord) -> bool:
        if 400 <= getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True


def logging_config(level: str, *, for_people: bool) -> dict[str, Any]:
    """Return Django's LOGGING. A line is text `for_people`, otherwise JSON."""
    steps: list[structlog.typing.Processor] = [
        add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=EXTRA_FIELDS),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    lines = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": steps,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_keys,
            structlog.dev.ConsoleRenderer(colors=False) if for_people else structlog.processors.JSONRenderer(),
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": lines},
        "filters": {"refusals": {"()": WithoutRefusals}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "filters": ["refusals"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"level": level, "handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "httpx": {"level": "WARNING"},  # below it, it writes whole addresses, and some of those are keys
        },
    }
