"""The webhook by which Sumsub reports its decisions."""

from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.verification.decisions import decide
from accounts.verification.errors import VerificationMoved
from accounts.verification.models import Verification
from accounts.verification.sumsub import DIGESTS, BadWebhook, Event, check_digest, read_event
from cryptons.api.errors import Invalid, NotFound, Unauthorized
from cryptons.api.outputs import Output
from cryptons.api.schema import TEXT, describe, one_of
from cryptons.api.views import ApiView, success
from cryptons.db import retry_when


class VerificationReceiptSerializer(Output):
    used = serializers.BooleanField(help_text="Whether the message was about a buyer of this shop")


HEADERS = [
    OpenApiParameter("X-Payload-Digest", TEXT, location="header", description="The HMAC of the raw body, in hex"),
    OpenApiParameter("X-Payload-Digest-Alg", one_of(*DIGESTS), location="header"),
]


class SumsubWebhook(ApiView):
    authentication_classes = ()

    @describe(
        "Report a verification",
        data=VerificationReceiptSerializer,
        body={"type": "object", "additionalProperties": True},
        parameters=HEADERS,
        errors=[400, 401, 404, 409],
    )
    def post(self, request: Request) -> Response:
        """Takes Sumsub's `applicantReviewed` and other events of applicants. A message that comes again, or too late, changes nothing.

        404 while the shop does not use Sumsub.
        """
        if settings.VERIFICATION_PROVIDER != "sumsub":
            raise NotFound(_("There is nothing at this address."))
        body = request.body
        try:
            check_digest(body, request.headers)
        except BadWebhook:
            raise Unauthorized(_("The signature is missing or wrong.")) from None
        try:
            event = read_event(body)
        except BadWebhook:
            raise Invalid(_("The message cannot be read.")) from None
        return success(VerificationReceiptSerializer.serialize({"used": event is not None and _use(event)}))


def _use(event: Event) -> bool:
    """Store what the event says. Returns whether it is about a buyer of this shop."""
    try:
        user_id = UUID(event.user_id)
    except ValueError:
        return False
    row = Verification.objects.filter(user=user_id).first()
    if row is None or (row.applicant_id and row.applicant_id != event.applicant_id):
        return False
    moved = VerificationMoved(_("The verification was changed at the same time. Please send the message again."))
    retry_when(
        VerificationMoved,
        lambda: decide(row.pk, event.status, reason=event.reason, at=timezone.now(), event_at=event.at, applicant_id=event.applicant_id),
        failure=moved,
    )
    return True
