"""Issue, verify and revoke JSON Web Tokens for the API.

A token's `jti` begins with the user's token generation; raising that number refuses all older tokens at once (password change). One token's
`jti` is written down when it is used up (a refresh) or given back (logout).
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, IntegrityError
from django.db.models import F, Field
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.models import RevokedToken, User

USER_CACHE_SECONDS = 5
"""How long another process may take a revoked token, or grant a demoted or disabled user old rights; in this one they end at once."""

BAD_TOKEN = _("This token is invalid or has expired.")


def issue(user: User) -> dict[str, str]:
    """Issue `{"token", "refresh"}` for a user whose identity was verified."""
    return {"token": str(_filled(AccessToken(), user)), "refresh": str(_filled(RefreshToken(), user))}


def _filled(token: Token, user: User) -> Token:
    token["userId"] = str(user.pk)
    token["email"] = user.email
    token["role"] = user.role
    token["jti"] = f"{user.token_generation}.{uuid4().hex}"
    token.set_iat(at_time=timezone.now())
    return token


def read(text: str, kind: type[Token]) -> tuple[User, Token]:
    """Return the token's user. Raises AuthenticationFailed for a tampered, expired or revoked token, and for a disabled user."""
    try:
        token = kind(text)  # type: ignore[arg-type]
        user_id, jti = UUID(str(token["userId"])), str(token["jti"])
    except (TokenError, KeyError, ValueError) as error:
        raise AuthenticationFailed(BAD_TOKEN) from error
    user = find_user(user_id)
    if user is None or not user.is_active or jti.partition(".")[0] != str(user.token_generation):
        raise AuthenticationFailed(BAD_TOKEN)
    if _is_revoked(jti):
        raise AuthenticationFailed(BAD_TOKEN)
    return user, token


def _is_revoked(jti: str) -> bool:
    """Return whether the token was revoked. That it was not is remembered as long as its user is."""
    if cache.get(_valid(jti)):
        return False
    is_revoked = RevokedToken.objects.filter(jti=jti).exists()
    if not is_revoked:
        cache.set(_valid(jti), True, USER_CACHE_SECONDS)
    return is_revoked


def _valid(jti: str) -> str:
    return f"valid-token:{jti}"


def find_user(user_id: UUID) -> User | None:
    key = f"user:{user_id}"
    kept: dict[str, Any] | None = cache.get(key)
    if kept is None:
        user = User.objects.filter(pk=user_id).first()
        if user is not None:
            cache.set(key, {field.attname: field.value_from_object(user) for field in _cached_fields()}, USER_CACHE_SECONDS)
        return user
    fields = _cached_fields()
    return User.from_db(DEFAULT_DB_ALIAS, [field.attname for field in fields], [field.to_python(kept[field.attname]) for field in fields])


def _cached_fields() -> list[Field[Any, Any]]:
    """List the columns that are cached, as JSON where the cache is Redis. The password's hash stays in the database."""
    return [field for field in User._meta.concrete_fields if field.name != "password"]


def forget_user(user_id: UUID) -> None:
    cache.delete(f"user:{user_id}")


def revoke(token: Token) -> bool:
    """Revoke one token. Returns False when it was revoked already: of two requests with one refresh token, only the first succeeds."""
    expires_at = datetime.fromtimestamp(token["exp"], tz=timezone.get_current_timezone())
    if RevokedToken.objects.filter(jti=token["jti"]).exists():
        return False
    try:
        RevokedToken.objects.create(jti=token["jti"], expires_at=expires_at)
    except IntegrityError:
        return False
    cache.delete(_valid(token["jti"]))
    return True


def revoke_all(user: User) -> None:
    """Revoke every token that was issued to this user."""
    User.objects.filter(pk=user.pk).update(token_generation=F("token_generation") + 1)
    user.refresh_from_db(fields=["token_generation"])
    forget_user(user.pk)


def refresh(text: str) -> dict[str, str]:
    """Exchange a refresh token for new tokens; it cannot be used a second time. Raises AuthenticationFailed."""
    user, token = read(text, RefreshToken)
    if not revoke(token):
        raise AuthenticationFailed(BAD_TOKEN)
    return issue(user)


class TokenAuthentication(BaseAuthentication):
    """Accept `Authorization: Bearer …` only: no password, no browser session."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed(BAD_TOKEN)
        try:
            text = words[1].decode("ascii")
        except UnicodeDecodeError as error:
            raise AuthenticationFailed(BAD_TOKEN) from error
        return read(text, AccessToken)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def api_user(request: Request) -> User:
    """Return the request's user. Raises NotAuthenticated without a login."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
