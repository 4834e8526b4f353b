"""The collected static files, with a name for each content and a gzip form of each."""

from typing import Any

from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage


class GzipManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Leaves brotli out: its best level takes most of a minute for the API's documentation, and the first start would wait for it."""

    def create_compressor(self, **options: Any) -> Compressor:
        return Compressor(use_brotli=False, **options)
