"""Set the defaults of `manage.py serve` before the settings are read."""

import os
from pathlib import Path

from cryptons import environment as env
from cryptons.coins import node_settings


def enable_sandbox_without_node(dotenv: Path) -> None:
    """Turn the sandbox on if no node is configured and SANDBOX is not set, so that the shop can be tried at once."""
    if env.text("CRYPTONS_DOTENV") != "off":
        env.load_dotenv(dotenv)
    if not any(env.text(name) for name in node_settings()) and not env.text("SANDBOX"):
        os.environ["SANDBOX"] = "true"
