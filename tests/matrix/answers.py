"""Try every route as everybody, and compare the answers with a table."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.template.backends.django import Template

from tests.matrix.people import is_here
from tests.matrix.state import tables

YES, LOGIN, FACTOR, NEW_CODE = "yes", "to the login", "to the second factor", "to a new code"

PLACES = {
    "/account/login/": LOGIN,
    "/admin/login/": LOGIN,
    "/account/second-factor/code/": NEW_CODE,
    "/account/second-factor/set-up/": YES,
    "/account/second-factor/": FACTOR,
}
"""The first that fits."""

TOLD_WHAT_IS_WRONG = {400, 409, 415, 422, 503}
"""What an answer says to a person who may ask, about the request or about the shop."""

Answers = Mapping[str, Mapping[str, str]]
"""By route and person: YES, where they were sent, or the status of a refusal."""


def meaning(response: Any) -> str:
    """Say what a response means for the person. A request that was counted and limited (429) proves nothing, so it is no YES."""
    if response.status_code in (301, 302):
        place = response.headers["Location"]
        for page, words in PLACES.items():
            if place.startswith(page):
                return words
        return YES
    return YES if response.status_code < 400 or response.status_code in TOLD_WHAT_IS_WRONG else str(response.status_code)


def skip_pages(monkeypatch: pytest.MonkeyPatch, is_read: Callable[[], bool] = lambda: False) -> None:
    """Write mails, and a page with the admin's menu only if somebody reads it: to write pages takes most of the time."""
    write, menu = Template.render, AdminSite.each_context

    def render(template: Any, *args: Any, **options: Any) -> str:
        return write(template, *args, **options) if is_read() or "/mail/" in template.template.name else ""

    monkeypatch.setattr(Template, "render", render)
    monkeypatch.setattr(AdminSite, "each_context", lambda site, request: menu(site, request) if is_read() else {})


def check(expected: Answers, ask: Callable[[str, str], Any]) -> None:
    """Ask each route as each person, first as those whom it refuses. Fails with a line for each other answer, and if they changed a row."""
    here = {route: {person: answer for person, answer in people.items() if is_here(person)} for route, people in expected.items()}
    assert _open_routes(here) == _open_routes(expected)
    before = tables()
    refused = _ask(here, ask, lambda answer: answer != YES)
    after = tables()
    allowed = _ask(here, ask, lambda answer: answer == YES)
    assert not refused + allowed, "\n".join(sorted(refused + allowed))
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


def _open_routes(answers: Answers) -> set[str]:
    """Return those that let somebody in."""
    return {route for route, people in answers.items() if YES in people.values()}


def _ask(expected: Answers, ask: Callable[[str, str], Any], chosen: Callable[[str], bool]) -> list[str]:
    wrong = []
    for route, people in expected.items():
        for person, answer in people.items():
            if chosen(answer) and (given := meaning(ask(route, person))) != answer:
                wrong.append(f"{route} as {person}: {given}, not {answer}")
    return wrong
