from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import Browser
from tests.running import Shop

SCREENSHOTS = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A fresh shop with the demo catalogue and play money."""
    shop = Shop(tmp_path_factory.mktemp("shop"), FOLLOW_SECONDS="1")
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def open_browser(shop: Shop) -> Iterator[Callable[..., Browser]]:
    """Each call is another person with a browser of their own."""
    opened: list[Browser] = []

    def open_another(size: tuple[int, int], *, javascript: bool = True) -> Browser:
        opened.append(Browser(shop.url, size, javascript=javascript))
        return opened[-1]

    open_another.opened = opened  # type: ignore[attr-defined]
    yield open_another
    for browser in opened:
        browser.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any]:
    """A failure keeps a picture of each browser, and shows what the shop said during the test."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    folder = Path(item.config.option.basetemp or "/tmp") / "cryptons-screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    for number, browser in enumerate(item.funcargs["open_browser"].opened):  # type: ignore[attr-defined]
        picture = folder / f"{item.name}-{number}.png"
        browser.driver.save_screenshot(str(picture))
        report.sections.append((f"Browser {number}", f"{picture}\n{browser.driver.current_url}\n{browser.text()[:2000]}"))
    report.sections.append(("The shop's last words", item.funcargs["shop"].said()[-4000:]))  # type: ignore[attr-defined]
