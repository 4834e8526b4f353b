"""A coin is one entry in cryptons.coins: with a made-up one in the table, a shop of its own process sells with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_coin_can_be_added_with_one_entry_in_the_table():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--ds=tests.made_up_coin.settings", "tests/made_up_coin"]

    environment = {name: value for name, value in os.environ.items() if name != "STACK_DATABASE_URL"}  # a coin is no matter of databases
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-2000:]
    assert re.search(r"\b\d{2} passed", ended.stdout)
