"""A headless Chromium, looked at as a person does: by what stands on the page."""

import shutil
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

from tests.running import PATIENCE, wait_for

DESKTOP = (1280, 900)
PHONE = (360, 740)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--force-prefers-reduced-motion",
)

BROKEN_OFF = ("htmx:afterRequest", "htmx:sendAbort")
"""What htmx says of a request that a newer one has replaced. Of one that failed it says `htmx:sendError` as well."""

T = TypeVar("T")


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


class Browser:
    def __init__(self, url: str, size: tuple[int, int], *, javascript: bool = True) -> None:
        self.url = url
        self.is_phone = size == PHONE
        self.has_javascript = javascript
        options = ChromeOptions()
        options.binary_location = program("chromium", "chromium-browser", "google-chrome")
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--window-size={size[0]},{size[1]}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if self.is_phone:
            # A click waits for ever where touch is emulated and scripts are off.
            screen = {"width": size[0], "height": size[1], "pixelRatio": 2, "mobile": True, "touch": javascript}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": screen})
        if not javascript:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = Chrome(options=options, service=ChromeService(program("chromedriver")))
        self.driver.set_page_load_timeout(30 * PATIENCE)
        self.driver.set_script_timeout(100)  # below the 120 s that Selenium waits for any answer

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    def command(self, method: str, /, **values: Any) -> Any:
        """Call a method of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(method, values)

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.url)

    def text(self) -> str:
        return look(lambda: self.driver.find_element(By.TAG_NAME, "body").text)

    def heading(self) -> str:
        return look(lambda: self.driver.find_element(By.CSS_SELECTOR, "main h1").text)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            field = self.find(f"main [name='{name}']")
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            else:
                field.clear()
                field.send_keys(value)

    def click(self, words: str, within: str = "main") -> None:
        """The one button or link that says so."""
        wanted = (
            f"//{within}//*[self::button or self::a][normalize-space()='{words}'] | //{within}//input[@type='submit' and @value='{words}']"
        )
        for _ in range(5):  # the page's live part may be replaced between finding and clicking
            try:
                return self.driver.find_element(By.XPATH, wanted).click()
            except WebDriverException as error:
                if not is_replaced(error):
                    raise
        return self.driver.find_element(By.XPATH, wanted).click()

    def press(self, words: str, within: str = "main") -> None:
        """The same where it leads to another page. Comes back when that one stands."""
        here = self.find("html")
        self.click(words, within)
        wait_for(
            f"the page after {words!r}",
            lambda: is_gone(here) and bool(self.driver.find_elements(By.CSS_SELECTOR, "body")),
            seconds=20,
        )

    def wait_until_shown(self, words: str, *, seconds: float = 40) -> None:
        try:
            wait_for(f"{words!r}", lambda: words in self.text(), seconds=seconds)
        except AssertionError:
            raise AssertionError(f"{words!r} never came. The page says:\n{self.text()}") from None

    def check_the_page(self) -> None:
        """Nothing sticks out at the side, and the browser has nothing to complain about."""
        if self.has_javascript:
            width, shown = self.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
            assert width <= shown, f"{self.path} is {width} wide on a screen of {shown}"
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        assert [words for words in said if not self.is_refusal(words) and not any(each in words for each in BROKEN_OFF)] == []

    def is_refusal(self, complaint: str) -> bool:
        """Whether it is about a page, this one or a form before it, that answers with a status of its own. Files of a page never do."""
        status = "Failed to load resource: the server responded with a status of 4"
        return f"{status}00" in complaint or complaint.startswith(f"{self.driver.current_url} - {status}")

    def stop_reloading(self) -> None:
        """Without scripts, a page that waits loads itself again, perhaps between pressing and releasing a button: not from now on."""
        if not self.has_javascript:
            self.command("Page.stopLoading")

    def close(self) -> None:
        self.driver.quit()


def is_gone(element: WebElement) -> bool:
    try:
        element.is_enabled()
    except WebDriverException as error:
        if not is_replaced(error):
            raise
        return True
    return False


def is_replaced(error: WebDriverException) -> bool:
    """Whether the page, or its live part, was replaced since it was found. Chromium has no error of its own for the moment in between."""
    gone = isinstance(error, StaleElementReferenceException | NoSuchElementException)
    return gone or "does not belong to the document" in str(error)


def program(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.fail(f"These tests need {names[0]} on PATH. On Debian: apt-get install chromium chromium-driver", pytrace=False)
