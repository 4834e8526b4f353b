"""A start without a database that can be used ends with a sentence that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cryptons.tests.lonely_mongo import lonely_mongo
from tests.running import ROOT


def serve(url: str, folder: Path) -> str:
    """Return what a start on that database ends with."""
    environment = {"PATH": os.environ["PATH"], "CRYPTONS_DOTENV": "off", "DATABASE_URL": url, "DATA_DIR": str(folder), "PORT": "18999"}
    command = [sys.executable, "manage.py", "serve", "--no-demo"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "url", ["postgres://127.0.0.1:1/cryptons?pool_timeout=1", "mongodb://127.0.0.1:1/cryptons?replicaSet=rs0&serverSelectionTimeoutMS=300"]
)
def test_serve_ends_with_a_message_when_the_database_is_unreachable(url: str, tmp_path: Path):
    assert "does not answer" in serve(url, tmp_path)


@pytest.mark.parametrize("query", ["", "?replicaSet=rs0&serverSelectionTimeoutMS=300"])
def test_serve_ends_with_instructions_when_mongodb_is_standalone(query: str, tmp_path: Path):
    with lonely_mongo() as address:
        said = serve(f"mongodb://{address}/cryptons{query}", tmp_path)

    assert "is standalone" in said
    assert "rs.initiate()" in said


def test_serve_names_the_right_replica_set_when_the_url_names_another(tmp_path: Path):
    with lonely_mongo(setName="main") as address:
        said = serve(f"mongodb://{address}/cryptons?replicaSet=rs0&serverSelectionTimeoutMS=300", tmp_path)

    assert "?replicaSet=main" in said
