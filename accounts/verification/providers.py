"""Who checks the identity of buyers: staff by hand, or a service."""

from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.verification import sumsub
from accounts.verification.decisions import submit
from accounts.verification.documents import ACCEPT, read_upload
from accounts.verification.errors import UnusableDocument
from accounts.verification.models import Document, Verification

Kind = Document.Kind


class Provider(Protocol):
    form: type[forms.Form]
    """What the buyer sends to begin."""
    can_resume: bool
    """Whether the buyer goes on with the provider while a decision is awaited."""

    def begin(self, verification: Verification, values: dict[str, Any], *, language: str, at: datetime) -> str:
        """Take what the buyer sent. Returns the address of the provider's own page, or nothing if there is no more to do.

        Raises VerificationError's children. It may ask the provider over HTTP: call it outside of a transaction.
        """

    def problems(self) -> list[str]:
        """Say what the settings lack."""


class DocumentField(forms.FileField):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"widget": forms.FileInput(attrs={"accept": ACCEPT}), **options})

    def clean(self, data: Any, initial: Any = None) -> tuple[bytes, str] | None:
        file = super().clean(data, initial)
        if not file:
            return None
        try:
            return read_upload(file)
        except UnusableDocument as error:
            raise forms.ValidationError(str(error)) from error


class DocumentsForm(forms.Form):
    front = DocumentField(
        label=Kind.FRONT.label, help_text=_("A photo or a scan on which everything can be read: JPEG, PNG, WebP or PDF, at most 5 MB.")
    )
    back = DocumentField(label=Kind.BACK.label, required=False)
    address = DocumentField(
        label=Kind.ADDRESS.label, required=False, help_text=_("Such as a bill or a bank statement with your name and address.")
    )


class Manual:
    """Buyers upload documents, and staff decide."""

    form: type[forms.Form] = DocumentsForm
    can_resume = False

    def begin(self, verification: Verification, values: dict[str, Any], *, language: str, at: datetime) -> str:
        submit(verification, {kind: upload for kind, upload in values.items() if upload}, at=at)
        return ""

    def problems(self) -> list[str]:
        return [] if settings.FIELD_ENCRYPTION_KEY else ["FIELD_ENCRYPTION_KEY must be set: documents are stored encrypted only."]


class Sumsub:
    form: type[forms.Form] = forms.Form
    can_resume = True

    def begin(self, verification: Verification, values: dict[str, Any], *, language: str, at: datetime) -> str:
        applicant_id, link = sumsub.open_link(verification, language=language)
        if applicant_id != verification.applicant_id:
            Verification.objects.filter(pk=verification.pk).update(applicant_id=applicant_id, provider="sumsub")
        return link

    def problems(self) -> list[str]:
        needed = ("SUMSUB_APP_TOKEN", "SUMSUB_SECRET_KEY", "SUMSUB_WEBHOOK_SECRET", "SUMSUB_LEVEL")
        missing = [f"{name} must be set for VERIFICATION_PROVIDER=sumsub." for name in needed if not getattr(settings, name)]
        url = urlsplit(settings.SUMSUB_URL)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost"):
            missing.append("SUMSUB_URL must be https.")
        return missing


PROVIDERS: dict[str, Provider] = {"manual": Manual(), "sumsub": Sumsub()}


def current_provider() -> Provider | None:
    """Return the provider of the settings; None if nobody is verified."""
    return PROVIDERS.get(settings.VERIFICATION_PROVIDER)
