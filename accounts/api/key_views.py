"""API keys: made, listed and revoked by staff who may, after a fresh code of their second factor, and never by a key."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import Token

from accounts.api.inputs import ApiKeyInput
from accounts.api.outputs import ApiKeySerializer, NewApiKeySerializer
from accounts.api_keys import MANAGE, NotPermitted, make_key
from accounts.models import ApiKey
from accounts.second_factor import is_fresh_login
from accounts.tokens import api_user
from cryptons.api.errors import Invalid, OtpRequired
from cryptons.api.permissions import may
from cryptons.api.schema import describe, describe_page
from cryptons.api.views import ApiView, get_or_404, paginated, success


class KeyView(ApiView):
    permission_classes = [may(MANAGE)]

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if self.is_restricted() and not (isinstance(request.auth, Token) and is_fresh_login(api_user(request), request.auth)):
            raise OtpRequired(_("Log in again with a code of your second factor: the last one is too old for this."))


class ApiKeys(KeyView):
    @describe_page("List API keys", data=ApiKeySerializer, login=True)
    def get(self, request: Request) -> Response:
        """Those of all staff, newest first."""
        return paginated(request, ApiKey.objects.all(), ApiKeySerializer.serialize)

    @describe("Make an API key", data=NewApiKeySerializer, status=201, body=ApiKeyInput, errors=[400, 415], login=True)
    def post(self, request: Request) -> Response:
        """The key itself is in this answer only. It may do what its scopes name, as long as you may."""
        values: dict[str, Any] = self.valid(ApiKeyInput)
        try:
            key, text = make_key(
                api_user(request),
                values["name"],
                values["scopes"],
                expires_at=values.get("expiresAt"),
                allowed_ips=values.get("allowedIps", ()),
            )
        except NotPermitted as error:
            raise Invalid.fields({"scopes": _("You may not do what %(scope)s stands for.") % {"scope": error.scope}}) from error
        return success({**ApiKeySerializer.serialize(key), "key": text}, status=201)


class OneApiKey(KeyView):
    @describe("Revoke an API key", data=None, status=204, errors=[404], login=True)
    def delete(self, request: Request, key_id: str) -> Response:
        get_or_404(ApiKey.objects.all(), key_id, _("API key not found")).delete()
        return Response(status=204)
