from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.verification.errors import VerificationNeeded


def next_step(error: "VerificationNeeded") -> list[dict[str, str]]:
    """Name the page on which the buyer is verified."""
    return [{"field": "verification", "message": error.url}]


class VerificationConfig(AppConfig):
    name = "accounts.verification"
    label = "verification"
    verbose_name = _("Identity verification")

    def ready(self) -> None:
        from accounts.verification import checks, documents, errors  # noqa: F401  (registers the checks; connects its receiver)
        from cryptons.api.errors import translate

        translate(errors.VerificationNeeded, 403, "VERIFICATION_REQUIRED", next_step)
        translate(errors.OrderRefused, 403, "ORDER_REFUSED")
        translate(errors.ScreeningUnavailable, 503, "SERVICE_UNAVAILABLE")
