"""Print Lighthouse's scores of the home page, a list and a product of a fresh demo shop as shipped: `python -m benchmarks.lighthouse`.

Lighthouse comes from npm and simulates a telephone on a slow network. The performance score suffers on a machine that is busy with
something else; the load is printed with it. Needs Node 18 and Chromium.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.running import Shop

LIGHTHOUSE = "lighthouse@12.8.2"
PAGES = {"home": "/", "list": "/search", "product": "/p/copper-kettle/"}
ROUNDS = 3
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def scores(url: str, chromium: str, folder: Path) -> dict[str, Any]:
    """Return the report of one run: `categories` has the scores from 0 to 1, `audits` the details."""
    options = ["--quiet", "--only-categories=performance,accessibility", "--chrome-flags=--headless=new --no-sandbox --disable-gpu"]
    output = ["--output=json", f"--output-path={folder / 'report.json'}"]
    command = ["npm", "exec", "--yes", f"--package={LIGHTHOUSE}", "--", "lighthouse", url, *options, *output]
    subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chromium}, cwd=folder)  # noqa: S603
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def main() -> None:
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not chromium or not shutil.which("npm"):
        print("Left out: Lighthouse needs npm and Chromium.")
        return
    with tempfile.TemporaryDirectory(prefix="cryptons-lighthouse-") as folder:
        shop = Shop(Path(folder) / "shop")
        shop.start()
        try:
            for name, path in PAGES.items():
                runs = [scores(shop.url + path, chromium, Path(folder)) for _ in range(ROUNDS)]
                for category in ("performance", "accessibility"):
                    values = [round(run["categories"][category]["score"] * 100) for run in runs]
                    print(f"{name:8} {category:14} {statistics.median(values):3.0f}  {values}  load {os.getloadavg()[0]:.1f}", flush=True)
                unmet = {key for run in runs for key, audit in run["audits"].items() if audit["score"] is not None and audit["score"] < 0.9}
                print(f"{'':8} below 90: {', '.join(sorted(unmet)) or 'nothing'}", flush=True)
        finally:
            shop.stop()


if __name__ == "__main__":
    main()
