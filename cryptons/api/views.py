"""The base of all views: input, envelope, pages, rows by id."""

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError as BadValue
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cryptons.api.envelope import succeeded
from cryptons.api.errors import Invalid, NotFound
from cryptons.api.inputs import Input, kept

Row = TypeVar("Row", bound=Model)

DEFAULT_LIMIT = 20
MOST_LIMIT = 100
MOST_PAGE = 10**6


class ApiView(APIView):
    """A view whose answers are in the envelope. Without permissions it is public, and ignores a token, be it good or stale."""

    def perform_authentication(self, request: Request) -> None:
        if not self.is_restricted():
            request.authenticators = []
        super().perform_authentication(request)

    def check_permissions(self, request: Request) -> None:
        if self.is_restricted():
            super().check_permissions(request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        handler = getattr(self, str(request.method).lower(), None)
        unknown = set(request.query_params) - getattr(handler, "query_parameters", set(request.query_params))
        if unknown:
            raise Invalid.fields({name: _("There is no such parameter.") for name in sorted(unknown)})

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        return success({"methods": self.allowed_methods})

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Take the first format if the client accepts any, as nearly all programs do."""
        if request.META.get("HTTP_ACCEPT", "*/*") != "*/*":
            return super().perform_content_negotiation(request, force)
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type

    def is_restricted(self) -> bool:
        """Return whether this method of the view asks who sends the request."""
        return self.request.method != "OPTIONS" and bool(self.get_permissions())

    def valid(self, serializer: type[Input], **options: Any) -> Any:
        """Return the request's body as the serializer's clean values. Raises ValidationError with a row per problem.

        What the instance of a kept input refuses is checked by a new one, which words the errors.
        """
        if serializer.is_kept and not options:
            with suppress(ValidationError):
                return kept(serializer).run_validation(self.request.data)
        checked = serializer(data=self.request.data, context={"request": self.request}, **options)
        checked.is_valid(raise_exception=True)
        return checked.validated_data


def success(data: Any, *, status: int = 200, meta: Mapping[str, Any] | None = None, headers: dict[str, str] | None = None) -> Response:
    return Response(succeeded(data, meta), status=status, headers=headers)


def whole_parameter(request: Request, name: str, default: int, *, least: int, most: int) -> int:
    """Read a whole number from the query string. Raises Invalid."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
        raise Invalid.fields({name: _("Must be a whole number from %(least)d to %(most)d.") % {"least": least, "most": most}})
    return int(text)


def page_parameters(request: Request) -> tuple[int, int]:
    """Read the page and the limit from the query string. Raises Invalid."""
    page = whole_parameter(request, "page", 1, least=1, most=MOST_PAGE)
    return page, whole_parameter(request, "limit", DEFAULT_LIMIT, least=1, most=MOST_LIMIT)


def paginated(
    request: Request,
    rows: QuerySet[Any],
    show: Callable[[Any], Mapping[str, Any]],
    *,
    by: str = "-created_at",
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Answer one page of rows in the order of the column `by`, each shown by `show`, with `meta`, which also gets `more`.

    A page is found by its number, or by `after`, the `next` of the page before it: that costs the same however far it is. Raises Invalid.
    """
    page, limit = page_parameters(request)
    rows = rows.order_by(by, "-id" if by.startswith("-") else "id")
    before = None
    if cursor := request.query_params.get("after", ""):
        if "page" in request.query_params:
            raise Invalid.fields({"page": _("Send `page` or `after`, not both.")})
        before = _read_cursor(cursor, rows.model, by)
        found: Sequence[Any] = list(_after(rows, before, by)[: limit + 1])
        meta: dict[str, Any] = {"page": None, "limit": limit, "total": None}
    else:
        total, start = rows.count(), (page - 1) * limit
        found = list(rows[start : start + limit + 1]) if start < total else []
        meta = {"page": page, "limit": limit, "total": total}
    shown = found[:limit]
    meta["next"] = _next_cursor(shown[-1], before, by) if len(found) > limit else None
    return success([show(row) for row in shown], meta={**meta, **(more or {})})


@dataclass(frozen=True)
class _Cursor:
    """Stands before the rows that come after this value, or after this id among those with the same value, without those shown already."""

    value: Any
    pk: UUID
    shown: tuple[UUID, ...] = ()

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.value, self.pk, *self.shown])).decode()


def cursor_after(shown: Sequence[Any], *, by: str) -> str:
    """Return the `next` of a first page whose rows have the order of the column `by`, and any order where their values are the same."""
    value = getattr(shown[-1], by.lstrip("-"))
    same = tuple(row.pk for row in shown if getattr(row, by.lstrip("-")) == value)
    return str(_Cursor(value, UUID(int=2**128 - 1 if by.startswith("-") else 0), same))


def _next_cursor(last: Any, before: _Cursor | None, by: str) -> str:
    value = getattr(last, by.lstrip("-"))
    return str(_Cursor(value, last.pk, before.shown if before and before.value == value else ()))


def _read_cursor(text: str, model: type[Model], by: str) -> _Cursor:
    try:
        value, *ids = orjson.loads(base64.urlsafe_b64decode(text))
        pk, *shown = map(UUID, ids)
        return _Cursor(_bound(model._meta.get_field(by.lstrip("-")), value), pk, tuple(shown))
    except (ValueError, TypeError, AttributeError, OverflowError, BadValue):
        raise Invalid.fields({"after": _("Send the `next` of the page before, unchanged.")}) from None


def _after(rows: QuerySet[Any], cursor: _Cursor, by: str) -> QuerySet[Any]:
    """Return the rows that come after the cursor's. The bound of `by` stands alone, so that an index of it is used."""
    name, compare = by.lstrip("-"), ("lt" if by.startswith("-") else "gt")
    seen = {name: cursor.value, f"pk__{'gt' if compare == 'lt' else 'lt'}e": cursor.pk}
    rows = rows.filter(**{f"{name}__{compare}e": cursor.value}).exclude(**seen)
    return rows.exclude(pk__in=cursor.shown) if cursor.shown else rows


def _bound(field: Any, written: Any) -> Any:
    """Read a column's value from a cursor, which anybody can write. Raises ValueError or OverflowError for one that no row has."""
    value = field.to_python(written)
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if value is None or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        raise ValueError
    return value


def parse_id(text: str, message: str) -> UUID:
    """Read an id from a path. Raises NotFound with this message: no row has a malformed id."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(message) from None


def get_or_404(rows: QuerySet[Row], text: str, message: str) -> Row:
    """Return the row with this id. Raises NotFound with this message."""
    row = rows.filter(pk=parse_id(text, message)).first()
    if row is None:
        raise NotFound(message)
    return row
