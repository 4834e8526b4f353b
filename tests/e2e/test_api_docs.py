"""The page that describes the API can log in, so that every call can be tried there."""

from collections.abc import Callable

from tests.e2e.browser import DESKTOP, Browser


def test_the_docs_of_the_api_can_log_in(open_browser: Callable[..., Browser]):
    developer = open_browser(DESKTOP)
    developer.open("/api/docs")
    developer.wait_until_shown("Place an order")
    developer.find("button.authorize").click()
    developer.wait_until_shown("X-Order-Key")
