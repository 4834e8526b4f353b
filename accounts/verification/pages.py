"""The page on which buyers have their identity verified."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.login_steps import page_user
from accounts.verification.decisions import CAN_SEND, verification_of
from accounts.verification.errors import ProviderUnavailable, VerificationError
from accounts.verification.models import Verification
from accounts.verification.providers import current_provider
from cryptons.page_limits import TooManyForms, count_against

LIMIT = "10/hour"
"""Uploads, or visits to the provider, of one account."""
TEMPLATE = "accounts/identity.html"


class InMemory(MemoryFileUploadHandler):
    """Keeps each upload in memory. Django's own handlers write what is larger than 2.5 MB to the disk, where a killed process leaves it."""

    def handle_raw_input(self, *_: Any, **__: Any) -> None:
        self.activated = True


@csrf_exempt  # `_answer` checks the token, once the form may be read
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def verification_page(request: HttpRequest) -> HttpResponse:
    request.upload_handlers = [InMemory(request)]
    return _answer(request)


@csrf_protect
def _answer(request: HttpRequest) -> HttpResponse:
    """Show how far the verification is, and take what the provider needs. The provider's own page is a link: no form may lead there."""
    provider = current_provider()
    if provider is None:
        raise Http404(_("This shop verifies nobody."))
    user = page_user(request)
    row = Verification.objects.filter(user=user).first() or Verification(user=user)
    may_begin = row.status in CAN_SEND or (provider.can_resume and row.status == Verification.Status.PENDING)
    form = provider.form(request.POST if request.method == "POST" else None, request.FILES or None)
    context = {"form": form, "verification": row, "may_begin": may_begin, "by_hand": not provider.can_resume}
    if request.method != "POST" or not may_begin:
        return render(request, TEMPLATE, context)
    try:
        count_against(LIMIT, "verification", str(user.pk))
        if not form.is_valid():
            return render(request, TEMPLATE, context, status=400)
        link = provider.begin(verification_of(user), form.cleaned_data, language=get_language() or "en", at=timezone.now())
    except TooManyForms as error:
        return error.answer(render(request, TEMPLATE, {**context, "problem": str(error)}))
    except VerificationError as error:
        status = 503 if isinstance(error, ProviderUnavailable) else 409
        return render(request, TEMPLATE, {**context, "problem": str(error)}, status=status)
    return render(request, TEMPLATE, {**context, "link": link}) if link else redirect("accounts:verification")
