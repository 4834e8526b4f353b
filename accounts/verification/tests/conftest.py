import io
from typing import Any

import pytest
from PIL import Image


@pytest.fixture
def by_hand(settings: Any, tmp_path: Any) -> None:
    """Staff decide, on documents in the test's own folder."""
    settings.VERIFICATION_PROVIDER, settings.FIELD_ENCRYPTION_KEY = "manual", ["k" * 32]
    settings.VERIFICATION_DIR = tmp_path / "verification"


@pytest.fixture
def photo() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(content, "JPEG")
    return content.getvalue()
