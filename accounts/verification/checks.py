"""Check at the start that who is to be verified can be."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from accounts.verification.providers import current_provider
from accounts.verification.sanctions import UnreadableList, current_list

LIMITS = ("VERIFICATION_LIMIT", "VERIFICATION_DAILY_LIMIT", "VERIFICATION_MONTHLY_LIMIT")


@register()
def check_provider(**_: Any) -> list[CheckMessage]:
    provider, limits = current_provider(), [name for name in LIMITS if getattr(settings, name)]
    if provider is None:
        text = f"{limits[0]} has no effect, because VERIFICATION_PROVIDER is off." if limits else ""
        return [Warning(text, id="verification.W001")] if text else []
    problems: list[CheckMessage] = [Error(problem, id="verification.E001") for problem in provider.problems()]
    if not limits:
        text = "VERIFICATION_PROVIDER is set, but no limit is, so no order needs a verified buyer."
        problems.append(Warning(text, hint=f"Set one of {', '.join(LIMITS)}.", id="verification.W002"))
    return problems


@register()
def check_sanctions_list(**_: Any) -> list[CheckMessage]:
    """Check the list at each start: while it cannot be read, no order is taken."""
    if not settings.SANCTIONS_LIST:
        return []
    try:
        current_list(settings.SANCTIONS_LIST)
    except UnreadableList as error:
        return [Error(f"The file of SANCTIONS_LIST cannot be read: {error}.", id="verification.E002")]
    return []
