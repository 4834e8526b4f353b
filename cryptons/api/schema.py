"""Describe each route in the OpenAPI document: the serializers of its body and its answer, in the envelope that every answer has."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from django.utils.text import slugify
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.utils import Direction, OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers

from cryptons.api.inputs import Input, StrictString
from cryptons.api.outputs import ListMeta, Output

Shape = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])

TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
_DAY = r"(2009|20[1-9]\d|2[1-9]\d\d|[3-8]\d{3})-((0[1-9]|1[0-2])-(0[1-9]|[12]\d)|(0[13-9]|1[0-2])-30|(0[13578]|1[02])-31)"
_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?"
MOMENT: Shape = {"type": "string", "example": "2026-11-01", "pattern": f"^{_DAY}([T ]{_TIME})?$"}
TIME: Shape = {"type": "string", "format": "date-time"}

PAGE = OpenApiParameter("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}, description="Number of the page")
LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, description="Rows on a page")
AFTER = OpenApiParameter("after", {"type": "string", "maxLength": 6000}, description="Instead of `page`: the `next` of the page before")
UPDATED_SINCE = OpenApiParameter(
    "updatedSince",
    MOMENT,
    description="Changed at this moment or later, sorted by that. To miss none, ask from a minute before the last change that you have",
)

ORDER_KEY: Shape = {"orderKey": []}
NOTHING: Shape = {}
"""As OpenAPI names what a client sends to show who it is."""

ERROR: Shape = {"$ref": "#/components/schemas/Error"}
ANYWHERE = (400, 408, 411, 413, 429, 500, 503)
"""Any route may answer these: an unknown parameter; a body that is late, of unknown length or too large; too many requests, a defect, an
overload or outage."""

UNREAD = (414, 431)
"""An address or headers that are so long that the server does not read them: an answer without a body."""

LIMIT_HEADERS = [
    OpenApiParameter(name, WHOLE, OpenApiParameter.HEADER, response=[429], description=description)
    for name, description in (
        ("Retry-After", "Seconds until the next request is allowed"),
        ("RateLimit-Limit", "Requests allowed in a period"),
        ("RateLimit-Remaining", "Requests left in this period"),
        ("RateLimit-Reset", "Seconds until the period ends"),
    )
]


def one_of(*values: str) -> Shape:
    return {"type": "string", "enum": list(values)}


def idempotency_key(description: str) -> OpenApiParameter:
    return OpenApiParameter("Idempotency-Key", {"type": "string", "maxLength": 255}, OpenApiParameter.HEADER, description=description)


def describe(
    summary: str,
    *,
    data: type[Output] | None,
    many: bool = False,
    by_key: bool = False,
    meta: type[Output] | None = None,
    status: int = 200,
    also: Sequence[int] = (),
    body: type[serializers.Serializer[Any]] | Shape | None = None,
    body_type: str = "application/json",
    parameters: Sequence[OpenApiParameter] = (),
    errors: Sequence[int] = (),
    login: bool = False,
    scope: str = "",
    guests: Shape | None = None,
    file: bool = False,
    cached: bool = False,
    stream: bool = False,
) -> Callable[[View], View]:
    """Describe one method of a view: what it takes, and what it answers with `status` or one of `also`.

    `data` is one object, with `many` a page of them, with `by_key` an object of them; `None` is an answer without a body. `errors` are
    those in addition to ANYWHERE; `login` adds 401 and 403; `scope` is that of an API key which is as good as a login; `guests` is what may
    be sent instead of both: ORDER_KEY or NOTHING. `file`: `?format=csv` answers the same as a file; `cached`: the answer has an ETag, and
    a 304 without a body confirms the client's copy; `stream`: it is a stream of server-sent events, whose shape the view's docstring says.
    """
    login = login or bool(scope)
    answers: dict[Any, Any] = {}
    for code in (status, *also):
        answers |= {(code, "application/json"): envelope(data, many, by_key, meta)} if data is not None else {code: None}
    if file:
        answers[(status, "text/csv")] = TEXT
    if stream:
        answers = {(status, "text/event-stream"): TEXT}
    if cached:
        answers[304] = None
    answers |= dict.fromkeys(UNREAD)
    for code in sorted({*errors, *ANYWHERE, *([401, 403] if login else [])}):
        answers[(code, "application/json")] = ERROR
    extended = extend_schema(
        operation_id="_".join(word for word in slugify(summary).split("-") if word not in ("a", "an", "the")),
        summary=summary,
        request={body_type: body} if body else None,
        responses=answers,
        parameters=[*parameters, *LIMIT_HEADERS],
        auth=_ways(scope, guests) if login else [],  # type: ignore[arg-type]
    )

    def described(view: View) -> View:
        answering: Any = extended(view)
        answering.query_parameters = {parameter.name for parameter in parameters if parameter.location == OpenApiParameter.QUERY}
        return cast(View, answering)

    return described


def _ways(scope: str, guests: Shape | None) -> list[Shape]:
    """Return what may be sent to show who asks; one of it is enough."""
    return [{"token": []}, *([{"apiKey": [scope]}] if scope else []), *([] if guests is None else [guests])]


@extend_schema_field({"type": "boolean", "const": True})
class _Success(serializers.BooleanField):
    pass


@cache
def envelope(data: type[Output], many: bool, by_key: bool, meta: type[Output] | None) -> type[serializers.Serializer[Any]]:
    """Return the answer around `data` as a component of its own: `Order` is sent in an `OrderAnswer`, many in an `OrderListAnswer`."""
    name = data.__name__.removesuffix("Serializer") + ("List" if many else "Map" if by_key else "") + "Answer"
    inner: Any = data(many=True) if many else serializers.DictField(child=data()) if by_key else data()
    fields = {"success": _Success(), "data": inner, **({"meta": meta()} if meta else {})}
    return type(name, (serializers.Serializer,), fields)


def describe_page(summary: str, *, data: type[Output], parameters: Sequence[OpenApiParameter] = (), **more: Any) -> Callable[[View], View]:
    """Describe a list that `paginated` answers."""
    return describe(summary, data=data, many=True, meta=ListMeta, parameters=[*parameters, PAGE, LIMIT, AFTER], **more)


class _ClosedInput(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A body with an unknown field is refused, and the document says so, with an example."""

    target_class = Input
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Shape:
        schema: Shape = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        examples = {} if self.target.example is None else {"examples": [self.target.example]}
        return {**schema, "additionalProperties": False, **examples}


class _Text(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Where an empty text is refused, spaces alone are refused as well, unless they count."""

    target_class = StrictString
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Shape:
        schema: Shape = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        if not self.target.allow_blank:
            schema["minLength"] = max(1, schema.get("minLength", 0))
            if self.target.trim_whitespace and "format" not in schema:
                schema["pattern"] = r"\S"
        return schema


class _PlainChoice(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Enumerations stand where they are used, without labels."""

    target_class = "rest_framework.serializers.ChoiceField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Shape:
        return {"type": "string", "enum": [*self.target.choices, *([None] if self.target.allow_null else [])]}


def classes_without_description() -> list[type]:
    """Return the classes whose docstrings are for programmers of this shop, for drf-spectacular's GET_LIB_DOC_EXCLUDES."""
    excluded: list[type] = get_lib_doc_excludes()  # type: ignore[no-untyped-call]
    return [*excluded, Output, Input]


def without_alias(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Leave out /api/v1/, which serves the same routes as /api/."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/api/v1/")]


def allow_empty_parameters(result: Shape, **_: Any) -> Shape:
    """Say of each parameter of an address that an empty one is as good as none: one of drf-spectacular's POSTPROCESSING_HOOKS."""
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    parameter["allowEmptyValue"] = True
    return result
