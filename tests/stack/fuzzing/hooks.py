"""What Schemathesis must know of the API to go on asking.

A cursor cannot be made up, nor can the id of something that the shop has; a logout ends a token of its own.
"""

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import schemathesis

KNOWN = json.loads(os.environ["FUZZ_KNOWN"])
"""By operation, the fields of a body that the shop accepts."""


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(context: object, case: Any, kwargs: dict[str, Any]) -> None:
    if case.meta and case.meta.generation.mode.is_positive:
        if case.query:
            case.query.pop("after", None)
        if isinstance(case.body, dict):
            case.body |= KNOWN.get(case.operation.label, {})
    if "FUZZ_LOGIN" in os.environ and case.operation.path == "/api/auth/logout":
        kwargs["auth"] = with_token(new_token())  # the header of the command line is stronger than those of a case, and this than both


def with_token(token: str) -> Callable[[Any], Any]:
    def authorize(request: Any) -> Any:
        if "Authorization" in request.headers:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def new_token() -> str:
    address = f"{os.environ['FUZZ_SHOP']}/api/auth/login"
    request = Request(address, os.environ["FUZZ_LOGIN"].encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        return str(json.load(answer)["data"]["token"])
