"""Save the admin's forms in one transaction. Django wraps them in its own `transaction.atomic`, which does nothing on MongoDB."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from cryptons.db import atomic

Row = TypeVar("Row", bound=Model)


MAX_SEARCH_LENGTH = 500
"""Longer than any value that can be found; MongoDB refuses patterns that are too long for an index."""


class AtomicModelAdmin(admin.ModelAdmin[Row]):
    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Row], search_term: str) -> tuple[QuerySet[Row], bool]:
        return super().get_search_results(request, queryset, search_term[:MAX_SEARCH_LENGTH])

    def changeform_view(self, request: HttpRequest, *args: Any, **named: Any) -> Any:
        with _writing(request):
            return super().changeform_view(request, *args, **named)

    def delete_view(self, request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        with _writing(request):
            return super().delete_view(request, *args, **named)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Row]) -> None:
        with atomic():
            super().delete_queryset(request, queryset)


def _writing(request: HttpRequest) -> AbstractContextManager[None]:
    return atomic() if request.method == "POST" else nullcontext()
