"""axe-core in the browser: what on the open page breaks a rule of WCAG 2.2, levels A and AA."""

from pathlib import Path
from typing import Any

from tests.e2e.browser import Browser
from tests.programs import find

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
LOOKS = {
    "desktop, light": ({"width": 1280, "height": 900, "mobile": False}, "light"),
    "phone, dark": ({"width": 390, "height": 844, "mobile": True}, "dark"),
}
RUN = """
const [done] = arguments, run = {resultTypes: ["violations"], iframes: false, runOnly: {type: "tag", values: TAGS}};
requestAnimationFrame(() => setTimeout(() => {  // by now the page has been told of its new size
  for (const change of document.getAnimations()) try { change.finish(); } catch {}  // a colour on its way to another
  axe.run(document, run).then(found => done(found.violations), error => done([{id: String(error), nodes: []}]));
}));
""".replace("TAGS", str(TAGS))


def load_axe(browser: Browser) -> None:
    """Have axe in every page that this browser opens from now on."""
    source = Path(find("axe-core", script="get-axe.sh")).read_text()
    browser.command("Page.addScriptToEvaluateOnNewDocument", source=source)


def look(browser: Browser, look: str) -> None:
    """Show the open page in a size and colour scheme of LOOKS."""
    screen, scheme = LOOKS[look]
    browser.command("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **screen)
    media = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    browser.command("Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in media.items()])


def violations(browser: Browser) -> list[str]:
    """Return rule, element and reason of each violation on the open page."""
    found: list[dict[str, Any]] = browser.driver.execute_async_script(RUN)
    return [words for rule in found for words in ([_describe(rule, node) for node in rule["nodes"]] or [rule["id"]])]


def _describe(rule: dict[str, Any], node: dict[str, Any]) -> str:
    return f"{rule['id']}: {node['html'][:200]} ({' '.join(node['target'])}): {' '.join(node['failureSummary'].split())[:300]}"
