from typing import Any

from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import RefreshToken, Token

from accounts.api import serializers as inputs
from accounts.registration import Taken, WrongPassword, change_password, log_in, register
from accounts.tokens import api_user, forget_user, issue, read, refresh, revoke
from cryptons.api.errors import Conflict, Invalid, RateLimited, Unauthorized
from cryptons.api.limits import client_ip, count
from cryptons.api.permissions import Authenticated
from cryptons.api.schema import TEXT, YES_NO, describe, needing, nullable, shape, some
from cryptons.api.views import ApiView, success


class LimitedView(ApiView):
    """Counted before the body is looked at, so that nobody can try passwords faster."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        allowed, headers = count(settings.RATE_LIMIT_AUTH, "auth", client_ip(request))
        if not allowed:
            raise RateLimited("Too many tries. Please wait.", headers=headers)
        super().initial(request, *args, **kwargs)


class Register(LimitedView):
    @describe(
        "Make an account",
        data=inputs.LOGGED_IN,
        status=201,
        body=shape(username=TEXT, email=TEXT, password=TEXT),
        errors=[400, 409, 415],
    )
    def post(self, request: Request) -> Response:
        wanted = self.valid(inputs.RegisterInput)
        try:
            user = register(wanted["username"], wanted["email"], wanted["password"])
        except Taken as error:
            raise Conflict(str(error), details=[{"field": error.field, "message": str(error)}]) from error
        return success({"user": inputs.show_user(user), **issue(user)}, status=201)


class Login(LimitedView):
    @describe(
        "Log in by email address or username",
        data=inputs.LOGGED_IN,
        body=needing("password", email=TEXT, username=TEXT, password=TEXT),
        errors=[400, 401, 415],
    )
    def post(self, request: Request) -> Response:
        given = self.valid(inputs.LoginInput)
        user = log_in(request._request, given.get("email") or given["username"], given["password"])
        if user is None:
            raise Unauthorized("The login is not right.")
        return success({"user": inputs.show_user(user), **issue(user)})


class Refresh(ApiView):
    @describe("New tokens for a refresh token, once", data=inputs.TOKENS, body=shape(refresh=TEXT), errors=[400, 401, 415])
    def post(self, request: Request) -> Response:
        return success(refresh(self.valid(inputs.RefreshInput)["refresh"]))


class Logout(ApiView):
    permission_classes = [Authenticated]

    @describe("Refuse these tokens from now on", data=shape(loggedOut=YES_NO), body=some(refresh=TEXT), errors=[400, 415], login=True)
    def post(self, request: Request) -> Response:
        given = self.valid(inputs.LogoutInput)
        assert isinstance(request.auth, Token)
        revoke(request.auth)
        if "refresh" in given:
            try:
                owner, token = read(given["refresh"], RefreshToken)
            except AuthenticationFailed:
                return success({"loggedOut": True})
            if owner.pk == api_user(request).pk:
                revoke(token)
        return success({"loggedOut": True})


class Profile(ApiView):
    permission_classes = [Authenticated]

    @describe("Who I am", data=inputs.PROFILE, login=True)
    def get(self, request: Request) -> Response:
        return success(inputs.show_profile(api_user(request)))

    @describe(
        "Change my profile",
        data=inputs.PROFILE,
        body=some(firstName=TEXT, lastName=TEXT, phone=TEXT, address=nullable(inputs.ADDRESS)),
        errors=[400, 415],
        login=True,
    )
    def put(self, request: Request) -> Response:
        given = self.valid(inputs.ProfileInput)
        user = api_user(request)
        user.first_name = given.get("firstName", user.first_name)
        user.last_name = given.get("lastName", user.last_name)
        user.phone = given.get("phone", user.phone)
        if "address" in given:
            user.address = given["address"] or {}
        user.save(update_fields=["first_name", "last_name", "phone", "address"])
        forget_user(user.pk)
        return success(inputs.show_profile(user))


class Password(ApiView):
    permission_classes = [Authenticated]

    @describe(
        "Change the password; all older tokens are refused",
        data=inputs.LOGGED_IN,
        body=shape(currentPassword=TEXT, newPassword=TEXT),
        errors=[400, 415],
        login=True,
    )
    def put(self, request: Request) -> Response:
        given = self.valid(inputs.PasswordInput)
        user = api_user(request)
        try:
            change_password(user, given["currentPassword"], given["newPassword"])
        except WrongPassword as error:
            raise Invalid(str(error), details=[{"field": "currentPassword", "message": str(error)}]) from error
        return success({"user": inputs.show_user(user), **issue(user)})
