import os
from pathlib import Path

import pytest

from cryptons.serving.defaults import enable_sandbox_without_node


@pytest.mark.parametrize(
    ("dotenv", "sandbox"),
    [
        ("", "true"),
        ("SHOP_NAME=Kettles", "true"),
        ("SANDBOX=false", "false"),
        ("BITCOIN_RPC_HOST=node.example", None),
        ("LITECOIN_RPC_HOST=node.example", None),
        ("LND_HOST=node.example:10009", None),
        ("XRP_URL=http://node.example:5005", None),
    ],
)
def test_the_sandbox_is_on_unless_a_setting_or_a_node_says_otherwise(dotenv: str, sandbox: str | None, tmp_path: Path, no_environment):
    (tmp_path / ".env").write_text(dotenv)

    enable_sandbox_without_node(tmp_path / ".env")

    assert os.environ.get("SANDBOX") == sandbox


def test_the_environment_takes_precedence_over_the_env_file(tmp_path: Path, no_environment):
    os.environ["SANDBOX"] = "false"
    (tmp_path / ".env").write_text("SANDBOX=true")

    enable_sandbox_without_node(tmp_path / ".env")

    assert os.environ["SANDBOX"] == "false"


@pytest.fixture
def no_environment():
    kept = dict(os.environ)
    os.environ.clear()
    yield
    os.environ.clear()
    os.environ.update(kept)
