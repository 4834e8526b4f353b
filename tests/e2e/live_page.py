"""What a page's own requests may change between two steps of a test: parts are replaced, requests broken off, pages loaded again."""

from collections.abc import Callable
from typing import TypeVar

from selenium.common.exceptions import WebDriverException

from tests.e2e.browser import Browser, is_replaced
from tests.running import wait_for

T = TypeVar("T")
BROKEN_OFF = ("htmx:afterRequest", "htmx:sendAbort")
"""What htmx says of a request that a newer one has replaced. Of one that failed it says `htmx:sendError` as well."""


def look(what: Callable[[], T]) -> T:
    """Return what it sees; it looks again if what it looked at was replaced in between."""

    def seen() -> list[T]:
        try:
            return [what()]
        except WebDriverException as error:
            if not is_replaced(error):
                raise
            return []

    return wait_for("a look at the page", seen)[0]


def forget_broken_off_requests(person: Browser) -> None:
    """After typing, which replaces requests where keys come slowly: the browser has complained of nothing else."""
    said = [entry["message"] for entry in person.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert [words for words in said if not any(each in words for each in BROKEN_OFF) and not person.is_refusal(words)] == []


def stay_on_the_page(person: Browser) -> None:
    """Without scripts, a page that waits loads itself again, perhaps between pressing and releasing a button: not from now on."""
    if not person.has_javascript:
        person.command("Page.stopLoading")
