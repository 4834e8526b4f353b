"""What the OpenAPI document says of each route: shapes of plain JSON, in the envelope that every answer has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.utils.text import slugify
from drf_spectacular.utils import OpenApiParameter, extend_schema

Shape = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

TEXT: Shape = {"type": "string"}
ID: Shape = {"type": "string", "format": "uuid"}
TIME: Shape = {"type": "string", "format": "date-time"}
WHOLE: Shape = {"type": "integer"}
YES_NO: Shape = {"type": "boolean"}
DECIMAL: Shape = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "example": "49.99"}

PAGE = OpenApiParameter("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}, description="Which page")
LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, description="Rows of a page")
PAGED: Mapping[str, Shape] = {"page": WHOLE, "limit": WHOLE, "total": WHOLE}

ERROR: Shape = {"$ref": "#/components/schemas/Error"}
ANYWHERE = (429, 500, 503)
"""Any route may answer these: too many requests, a defect, a database that cannot be reached."""

LIMIT_HEADERS = [
    OpenApiParameter(name, WHOLE, OpenApiParameter.HEADER, response=[429], description=description)
    for name, description in (
        ("Retry-After", "Seconds until the next request is allowed"),
        ("RateLimit-Limit", "Requests allowed in a period"),
        ("RateLimit-Remaining", "Requests left in this period"),
        ("RateLimit-Reset", "Seconds until the period ends"),
    )
]


def shape(**properties: Shape) -> Shape:
    """An object that always has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def some(**properties: Shape) -> Shape:
    """An object that may have any of these, and nothing else."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def needing(*names: str, **properties: Shape) -> Shape:
    """An object that has the named ones and may have the others."""
    return {**some(**properties), "required": list(names)}


def array(items: Shape) -> Shape:
    return {"type": "array", "items": items}


def mapping(values: Shape) -> Shape:
    return {"type": "object", "additionalProperties": values}


def nullable(inner: Shape) -> Shape:
    return {"oneOf": [inner, {"type": "null"}]}


def one_of(*values: str) -> Shape:
    return {"type": "string", "enum": list(values)}


def describe(
    summary: str,
    *,
    data: Shape | None,
    status: int = 200,
    also: Sequence[int] = (),
    body: Shape | None = None,
    body_type: str = "application/json",
    meta: Shape | None = None,
    parameters: Sequence[OpenApiParameter] = (),
    errors: Sequence[int] = (),
    login: bool = False,
    file: bool = False,
    cached: bool = False,
) -> Callable[[View], View]:
    """Say of one method what it takes and answers, by `status` or one of `also`.

    `errors` are those beside ANYWHERE; `login` adds 401; `file`: `?format=csv` answers the same as a file; `cached`: an answer has an
    ETag, and 304 without a body says that the client's copy is still right.
    """
    envelope: Shape = {"success": {"type": "boolean", "const": True}, "data": data or {}}
    if meta:
        envelope["meta"] = meta
    answers: dict[Any, Any] = {}
    for code in (status, *also):
        answers |= {(code, "application/json"): shape(**envelope)} if data is not None else {code: None}
    if file:
        answers[(status, "text/csv")] = TEXT
    if cached:
        answers[304] = None
    for code in sorted({*errors, *ANYWHERE, *([401] if login else [])}):
        answers[(code, "application/json")] = ERROR
    return extend_schema(
        operation_id=slugify(summary).replace("-", "_"),
        summary=summary,
        request={body_type: body} if body else None,
        responses=answers,
        parameters=[*parameters, *LIMIT_HEADERS],
        auth=[{"token": []}] if login else [],  # type: ignore[list-item]
    )


def without_alias(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Each route once: /api/v1/ is the same."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/api/v1/")]
