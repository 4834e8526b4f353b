"""Payments that the sandbox network plays: exact, too low, late, reorganised and so on."""

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import NotFound
from cryptons.api.inputs import Input, StrictUUID
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from cryptons.celery import enqueue
from payments.api.outputs import SandboxPlaySerializer
from payments.models import Invoice
from payments.networks.registry import is_sandbox
from payments.sync.sandbox_plays import PLAYS, play
from payments.tasks import follow_networks


class PlayInput(Input):
    example = {"invoiceId": "01a21c3e-c0fd-70d0-8283-c19ad8f36555", "play": "exact"}

    invoiceId = StrictUUID()
    play = serializers.ChoiceField(list(PLAYS))


class SandboxPay(ApiView):
    @describe(
        "Play a sandbox payment",
        data=SandboxPlaySerializer,
        status=202,
        body=PlayInput,
        errors=[400, 404, 415],
    )
    def post(self, request: Request) -> Response:
        if not is_sandbox():
            raise NotFound(_("This shop has no sandbox: it takes real payments."))
        values = self.valid(PlayInput)
        try:
            play(values["invoiceId"], values["play"], at=timezone.now())
        except Invoice.DoesNotExist:
            raise NotFound(_("Invoice not found")) from None
        enqueue(follow_networks)
        return success(SandboxPlaySerializer.serialize({**values, "does": str(PLAYS[values["play"]])}), status=202)
