"""Call the API of the shop at `SHOP`, which is http://127.0.0.1:8000 unless the environment says otherwise."""

import json
import os
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

SHOP = os.environ.get("SHOP", "http://127.0.0.1:8000")
KEY = {"Authorization": f"Bearer {os.environ.get('API_KEY', '')}"}


def call(method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **query: object) -> Any:
    """Return the whole answer: `data`, and `meta` of a list. Raises urllib's HTTPError, whose body says what is wrong."""
    address = f"{SHOP}/api{path}?{urlencode(query)}"
    content = None if body is None else json.dumps(body).encode()
    request = Request(address, content, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310
    with urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read() or "null")
