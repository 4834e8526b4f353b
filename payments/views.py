from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from cryptons.celery import soon
from payments.errors import NetworkNotOffered, UnknownPlay
from payments.models import Invoice
from payments.networks.sandbox.plays import PLAYS, play
from payments.tasks import follow_networks


@require_POST
def sandbox_play(request: HttpRequest, invoice_id: UUID) -> HttpResponse:
    """The pay page's buttons in the sandbox."""
    act = request.POST.get("play", "")
    try:
        play(invoice_id, act, at=timezone.now())
    except (NetworkNotOffered, UnknownPlay, Invoice.DoesNotExist) as error:
        raise Http404(str(error)) from error
    soon(follow_networks)
    messages.info(request, f"Sandbox: {PLAYS[act].lower()}. The page follows in a few seconds.")
    return redirect("shop:pay", invoice_id)
