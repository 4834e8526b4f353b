import os
import subprocess
import sys
from pathlib import Path

from tests.sequences import PERCENT, SEQUENCES, lives

ROOT = Path(__file__).resolve().parent.parent


def test_the_sequences_of_all_kinds_add_up_to_the_requested_number():
    """Each test that runs a part of them counts those that it has run to the end."""
    assert sum(lives(kind, parts=1) for kind in PERCENT) >= SEQUENCES - len(PERCENT)


def test_the_number_of_sequences_reaches_the_tests_from_the_environment():
    code = "import tests.hermetic, tests.sequences; print(tests.sequences.SEQUENCES)"

    printed = subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "SEQUENCES": "1234"}, cwd=ROOT, text=True)

    assert printed == "1234\n"
