"""How often a client address may send the storefront's forms."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from cryptons.api.limits import count, too_many_requests
from cryptons.client_address import client_ip

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
CART, CHECKOUT = "RATE_LIMIT_CART", "RATE_LIMIT_CHECKOUT"


class TooManyForms(Exception):
    """The client has sent more than the limit allows. The text is a sentence for the page; `headers` belong to its answer."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(too_many_requests(headers))
        self.headers = headers

    def answer(self, page: HttpResponse) -> HttpResponse:
        """Make the page the answer, with status 429."""
        page.status_code = 429
        for name, value in self.headers.items():
            page.headers[name] = value
        return page


def count_form(request: HttpRequest, setting: str) -> None:
    """Count a form against the limit of this setting, for its client address. Raises TooManyForms."""
    count_against(getattr(settings, setting), setting, client_ip(request))


def count_against(limit: str, *keys: str) -> None:
    """Count a form against a limit of its own. Raises TooManyForms."""
    allowed, headers = count(limit, *keys)
    if not allowed:
        raise TooManyForms(headers)


def limit_forms(setting: str) -> Callable[[View[P]], View[P]]:
    """Count each POST, and answer with a page of its own when there are too many: for forms in which nothing is typed."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def limited(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method == "POST":
                try:
                    count_form(request, setting)
                except TooManyForms as error:
                    return error.answer(render(request, "429.html", {"text": str(error)}))
            return view(request, *args, **kwargs)

        return limited

    return decorate
