"""Forgotten passwords and email addresses. Who asks for a link gets the same answer whether or not the address has an account."""

from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordProblem
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import AddressOfAccountInput, LinkKeyInput, LinkPasswordInput, NewEmailInput
from accounts.api.outputs import AcceptedSerializer, EmailConfirmedSerializer, PasswordChangedSerializer
from accounts.email_address import SameAddress, ask_to_change_email, change_email, verify_email
from accounts.links import Kind, LinkOver, OpenLink, read_link
from accounts.mail_limits import count_link_mail
from accounts.models import User
from accounts.recovery import request_link, set_new_password
from accounts.registration import Taken, WrongPassword
from accounts.tokens import api_user
from cryptons.api.errors import Conflict, Invalid, RateLimited
from cryptons.api.limits import too_many_attempts
from cryptons.api.permissions import Authenticated
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success


def _count(request: Request, email: str, *, asked_by: User | None = None) -> None:
    if headers := count_link_mail(request._request, email, asked_by=asked_by):
        raise RateLimited(too_many_attempts(headers), headers=headers)


def _accepted() -> Response:
    return success(AcceptedSerializer.serialize({"accepted": True}), status=202)


def _open(key: str, kinds: Collection[Kind]) -> OpenLink:
    """Return the link of one of these kinds. Raises LinkOver."""
    link = read_link(key, at=timezone.now())
    if link.kind not in kinds:
        raise LinkOver
    return link


class LinkView(ApiView):
    """Answers for a link that is no longer valid."""

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(Invalid.fields({"key": str(exc)}) if isinstance(exc, LinkOver) else exc)

    def set_password(self, kind: Kind) -> Response:
        values = self.valid(LinkPasswordInput)
        link = _open(values["key"], [kind])
        try:
            validate_password(values["newPassword"], link.user)
        except PasswordProblem as error:
            raise Invalid.fields({"newPassword": " ".join(error.messages)}) from error
        set_new_password(link, values["newPassword"])
        return success(PasswordChangedSerializer.serialize({"passwordChanged": True}))


class PasswordReset(ApiView):
    @describe("Ask for a link to set a new password", data=AcceptedSerializer, status=202, body=AddressOfAccountInput, errors=[400, 415])
    def post(self, request: Request) -> Response:
        email = self.valid(AddressOfAccountInput)["email"]
        _count(request, email)
        request_link(Kind.RESET, email)
        return _accepted()


class PasswordResetConfirm(LinkView):
    @describe("Set a new password with the key of a link", data=PasswordChangedSerializer, body=LinkPasswordInput, errors=[400, 415])
    def post(self, request: Request) -> Response:
        return self.set_password(Kind.RESET)


class VerifyEmail(ApiView):
    @describe(
        "Ask for a link to verify an email address", data=AcceptedSerializer, status=202, body=AddressOfAccountInput, errors=[400, 415]
    )
    def post(self, request: Request) -> Response:
        email = self.valid(AddressOfAccountInput)["email"]
        _count(request, email)
        request_link(Kind.VERIFY, email)
        return _accepted()


class VerifyEmailConfirm(LinkView):
    @describe("Verify an email address with the key of a link", data=EmailConfirmedSerializer, body=LinkKeyInput, errors=[400, 415])
    def post(self, request: Request) -> Response:
        link = _open(self.valid(LinkKeyInput)["key"], [Kind.VERIFY])
        verify_email(link)
        return success(EmailConfirmedSerializer.serialize({"email": link.email, "emailVerified": True}))


class Email(ApiView):
    permission_classes = [Authenticated]

    @describe(
        "Ask for a link to change my email address",
        data=AcceptedSerializer,
        status=202,
        body=NewEmailInput,
        errors=[400, 415],
        login=True,
    )
    def put(self, request: Request) -> Response:
        values, user = self.valid(NewEmailInput), User.objects.get(pk=api_user(request).pk)
        _count(request, values["email"], asked_by=user)
        try:
            ask_to_change_email(request._request, user, values["email"], values["currentPassword"])
        except WrongPassword as error:
            raise Invalid.fields({"currentPassword": str(error)}) from error
        except SameAddress as error:
            raise Invalid.fields({"email": str(error)}) from error
        return _accepted()


class EmailConfirm(LinkView):
    @describe("Change the email address with the key of a link", data=EmailConfirmedSerializer, body=LinkKeyInput, errors=[400, 409, 415])
    def post(self, request: Request) -> Response:
        link = _open(self.valid(LinkKeyInput)["key"], [Kind.CHANGE])
        try:
            change_email(link)
        except Taken as error:
            raise Conflict(str(error), details=[{"field": error.field, "message": str(error)}]) from error
        return success(EmailConfirmedSerializer.serialize({"email": link.email, "emailVerified": True}))


class EmailUndo(LinkView):
    @describe(
        "Undo a change of the email address with the key of a link",
        data=PasswordChangedSerializer,
        body=LinkPasswordInput,
        errors=[400, 415],
    )
    def post(self, request: Request) -> Response:
        """A second factor and API keys that were made since the change end, too."""
        return self.set_password(Kind.UNDO)
