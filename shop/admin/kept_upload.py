"""Keep a file that staff chose when its form is shown again because of another error: browsers forget it."""

import base64
import secrets
from typing import Any

from django import forms
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

KEPT_SECONDS = 3600


class KeptFileInput(forms.FileInput):
    """Sends the key of a file that is kept for an hour. A file that is chosen later replaces it."""

    upload: "UploadedFile[Any] | None" = None
    is_refused = False
    """Set by a form that cannot use the file, so that it is not sent again."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> "UploadedFile[Any] | None":
        self.upload = super().value_from_datadict(data, files, name) or _read_kept(data.get(f"{name}-kept", ""))
        return self.upload

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, attrs, renderer)
        if self.upload is None or self.is_refused:
            return field
        words = _("%(file)s is kept. You do not have to choose it again.") % {"file": self.upload.name}
        return format_html(
            '{}<input type="hidden" name="{}-kept" value="{}"><p class="help">{}</p>', field, name, _keep(self.upload), words
        )


def _keep(upload: "UploadedFile[Any]") -> str:
    upload.seek(0)
    key = secrets.token_urlsafe(24)
    kept = {"name": upload.name, "content": base64.b64encode(upload.read()).decode()}
    caches["shared"].set(f"upload:{key}", kept, KEPT_SECONDS)
    return key


def _read_kept(key: str) -> "UploadedFile[Any] | None":
    kept = caches["shared"].get(f"upload:{key}") if key else None
    return SimpleUploadedFile(kept["name"], base64.b64decode(kept["content"])) if kept else None
