"""MongoDB's error codes for those of the engine."""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
Answer = Mapping[str, Any]
"""A Document, or the engine's bytes as they are."""

CODES = {
    "M001C": (11000, "DuplicateKey"),
    "23505": (11000, "DuplicateKey"),
    "40001": (112, "WriteConflict"),
    "40P01": (112, "WriteConflict"),
    "55P03": (112, "WriteConflict"),
    "42P01": (26, "NamespaceNotFound"),
    "57014": (50, "MaxTimeMSExpired"),
    "M0001": (2, "BadValue"),
}
"""By SQLSTATE, of the engine or of PostgreSQL: MongoDB's code and its name."""


class Refused(Exception):
    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name = code, name


def mongo_code(state: str | None) -> tuple[int, str]:
    if state in CODES:
        return CODES[state]
    return (2, "BadValue") if (state or "").startswith("M") else (8, "UnknownError")


def code_of_packed(number: int) -> tuple[int, str]:
    """The engine packs the five characters of an SQLSTATE into an integer, six bits each, the first one lowest."""
    return mongo_code("".join(chr(48 + (number >> shift & 63)) for shift in (0, 6, 12, 18, 24)))


def with_prefix(code: int, message: str) -> str:
    """Drivers and ORMs look for the words "E11000 duplicate key error"."""
    return f"E11000 duplicate key error: {message}" if code == 11000 and not message.startswith("E11000") else message


def with_mongo_codes(answer: Document) -> Document:
    """Replace the packed SQLSTATEs of an answer's write errors."""
    for error in (*answer.get("writeErrors", ()), *([answer] if "code" in answer else ())):
        if isinstance(error["code"], int) and error["code"] > 1 << 20:
            error["code"] = code_of_packed(error["code"])[0]
        error["errmsg"] = with_prefix(error["code"], error["errmsg"])
    return answer
