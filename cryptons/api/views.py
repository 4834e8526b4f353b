from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from cryptons.api.envelope import succeeded
from cryptons.api.errors import Invalid, NotFound

Row = TypeVar("Row", bound=Model)

DEFAULT_LIMIT = 20
MOST_LIMIT = 100
MOST_PAGE = 10**6


class ApiView(APIView):
    def valid(self, serializer: type[BaseSerializer[Any]], **options: Any) -> Any:
        """The request's body as the serializer's clean values. Raises 400 with a row per problem."""
        checked = serializer(data=self.request.data, context={"request": self.request}, **options)
        checked.is_valid(raise_exception=True)
        return checked.validated_data


def success(data: Any, *, status: int = 200, meta: Mapping[str, Any] | None = None, headers: dict[str, str] | None = None) -> Response:
    return Response(succeeded(data, meta), status=status, headers=headers)


def whole_parameter(request: Request, name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of the query string. Raises Invalid."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
        message = f"Must be a whole number from {least} to {most}."
        raise Invalid("Some values cannot be accepted.", details=[{"field": name, "message": message}])
    return int(text)


def page_parameters(request: Request) -> tuple[int, int]:
    """(page, limit)."""
    page = whole_parameter(request, "page", 1, least=1, most=MOST_PAGE)
    return page, whole_parameter(request, "limit", DEFAULT_LIMIT, least=1, most=MOST_LIMIT)


def paginated(request: Request, rows: QuerySet[Any], show: Callable[[Any], Mapping[str, Any]]) -> Response:
    """One page of rows, each shown by `show`, with `meta`."""
    page, limit = page_parameters(request)
    total = rows.count()
    start = (page - 1) * limit
    shown: Sequence[Any] = list(rows[start : start + limit]) if start < total else []
    return success([show(row) for row in shown], meta={"page": page, "limit": limit, "total": total})


def parse_id(text: str, name: str) -> UUID:
    """Raises NotFound (`Product not found`): what is no id is nobody's."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"{name} not found") from None


def get_or_404(rows: QuerySet[Row], text: str, name: str) -> Row:
    row = rows.filter(pk=parse_id(text, name)).first()
    if row is None:
        raise NotFound(f"{name} not found")
    return row
