"""What Schemathesis must know of the API to go on asking.

A cursor cannot be made up, nor can the id of something that the shop has; a logout ends a token of its own.
"""

import json
import os
from typing import Any
from urllib.request import Request, urlopen

import schemathesis

KNOWN = json.loads(os.environ["FUZZ_KNOWN"])
"""By operation, the fields of a body that the shop accepts."""


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(context: object, case: Any, kwargs: object) -> None:
    if case.meta and case.meta.generation.mode.is_positive:
        if case.query:
            case.query.pop("after", None)
        if isinstance(case.body, dict):
            case.body |= KNOWN.get(case.operation.label, {})
    if "FUZZ_LOGIN" in os.environ and case.operation.path == "/api/auth/logout" and case.headers and "Authorization" in case.headers:
        case.headers["Authorization"] = f"Bearer {new_token()}"


def new_token() -> str:
    address = f"{os.environ['FUZZ_SHOP']}/api/auth/login"
    request = Request(address, os.environ["FUZZ_LOGIN"].encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return str(json.load(answer)["data"]["token"])
