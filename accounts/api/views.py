import time
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import RefreshToken, Token

from accounts.api.inputs import LoginInput, LogoutInput, PasswordInput, ProfileInput, RefreshInput, RegisterInput
from accounts.api.outputs import LoginSerializer, LogoutSerializer, ProfileSerializer, TokensSerializer
from accounts.devices import notice_login
from accounts.email_address import send_verification
from accounts.mail_limits import count_link_mail
from accounts.models import User
from accounts.registration import Taken, WrongPassword, change_password, check_login, register
from accounts.second_factor import check_code
from accounts.tokens import api_user, issue, read, refresh, revoke
from cryptons.api.errors import Conflict, Invalid, OtpRequired, RateLimited, Unauthorized
from cryptons.api.limits import count, too_many_attempts
from cryptons.api.permissions import Authenticated
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from cryptons.audit.writing import audit
from cryptons.client_address import client_ip


class LimitedView(ApiView):
    """Counts a request before its body is read."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        allowed, headers = count(settings.RATE_LIMIT_AUTH, "auth", client_ip(request))
        if not allowed:
            raise RateLimited(too_many_attempts(headers), headers=headers)
        super().initial(request, *args, **kwargs)


def logged_in(user: User, *, code_at: int = 0) -> dict[str, Any]:
    return LoginSerializer.serialize({"user": user, **issue(user, code_at=code_at)})


class Register(LimitedView):
    @describe(
        "Register",
        data=LoginSerializer,
        status=201,
        body=RegisterInput,
        errors=[400, 409, 415],
    )
    def post(self, request: Request) -> Response:
        values = self.valid(RegisterInput)
        try:
            user = register(values["username"], values["email"], values["password"])
        except Taken as error:
            raise Conflict(str(error), details=[{"field": error.field, "message": str(error)}]) from error
        if count_link_mail(request._request, user.email) is None:
            send_verification(user)
        notice_login(request._request, user, is_expected=True)
        return success(logged_in(user), status=201)


class Login(ApiView):
    @describe(
        "Log in",
        data=LoginSerializer,
        body=LoginInput,
        errors=[400, 401, 415],
    )
    def post(self, request: Request) -> Response:
        """Who has a second factor sends a code as `otp`; without it the answer is a 401 with the code `OTP_REQUIRED`."""
        values = self.valid(LoginInput)
        user = check_login(request._request, values.get("email") or values["username"], values["password"])
        if user is None:
            raise Unauthorized(_("Wrong username or password."))
        if user.has_second_factor:
            if "otp" not in values:
                raise OtpRequired(_("A code of your second factor is needed as well."))
            if not check_code(request._request, user, values["otp"]):
                raise Unauthorized(_("This code is wrong or was used before."))
        user_logged_in.send(sender=User, request=request._request, user=user)
        notice_login(request._request, user)
        return success(logged_in(user, code_at=int(time.time()) if user.has_second_factor else 0))


class Refresh(ApiView):
    @describe("Refresh the tokens", data=TokensSerializer, body=RefreshInput, errors=[400, 401, 415])
    def post(self, request: Request) -> Response:
        return success(TokensSerializer.serialize(refresh(self.valid(RefreshInput)["refresh"])))


class Logout(ApiView):
    permission_classes = [Authenticated]

    @describe("Log out", data=LogoutSerializer, body=LogoutInput, errors=[400, 415], login=True)
    def post(self, request: Request) -> Response:
        values = self.valid(LogoutInput)
        assert isinstance(request.auth, Token)
        revoke(request.auth)
        audit("logout", api_user(request))
        if "refresh" in values:
            try:
                owner, token = read(values["refresh"], RefreshToken)
            except AuthenticationFailed:
                return success(LogoutSerializer.serialize({"loggedOut": True}))
            if owner.pk == api_user(request).pk:
                revoke(token)
        return success(LogoutSerializer.serialize({"loggedOut": True}))


class Profile(ApiView):
    permission_classes = [Authenticated]

    @describe("Get my profile", data=ProfileSerializer, login=True)
    def get(self, request: Request) -> Response:
        return success(ProfileSerializer.serialize(api_user(request)))

    @describe(
        "Update my profile",
        data=ProfileSerializer,
        body=ProfileInput,
        errors=[400, 415],
        login=True,
    )
    def put(self, request: Request) -> Response:
        values = self.valid(ProfileInput)
        user = api_user(request)
        user.first_name = values.get("firstName", user.first_name)
        user.last_name = values.get("lastName", user.last_name)
        user.phone = values.get("phone", user.phone)
        if "address" in values:
            user.address = values["address"] or {}
        user.save(update_fields=["first_name", "last_name", "phone", "address"])
        return success(ProfileSerializer.serialize(user))


class Password(ApiView):
    permission_classes = [Authenticated]

    @describe(
        "Change my password",
        data=LoginSerializer,
        body=PasswordInput,
        errors=[400, 415],
        login=True,
    )
    def put(self, request: Request) -> Response:
        values = self.valid(PasswordInput)
        user = api_user(request)
        try:
            change_password(request._request, user, values["currentPassword"], values["newPassword"])
        except WrongPassword as error:
            raise Invalid(str(error), details=[{"field": "currentPassword", "message": str(error)}]) from error
        return success(logged_in(user))
