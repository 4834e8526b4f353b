"""`make bench`: run all benchmarks, one after the other, each in its own process."""

import subprocess
import sys

for name in ("front", "connections", "streams", "lighthouse", "catalogue", "orders", "followers"):
    print(f"\n--- {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)  # noqa: S603
