"""Issue, verify and revoke JSON Web Tokens for the API.

A token's `jti` is `generation.family.unique`. All tokens that come from one login are a family: a logout ends it, and so does a refresh
token that is used twice, because one of the two users stole it. Raising the user's token generation refuses all older tokens at once (a new
password). What ended is written down in RevokedToken: a refresh token by its `jti`, a family by the `jti` without its last part.
"""

import re
import secrets
import time
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, IntegrityError
from django.db.models import Field
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import aware_utcnow

from accounts.models import RevokedToken, User
from cryptons.db import on_commit
from cryptons.kept_sql import find_rows, has_row

USER_CACHE_SECONDS = 5
"""How long another process still answers what only reads, after a logout, a demotion or a closed account. Here it ends at once."""

MOST_SECONDS = 90 * 86_400
"""After this a login cannot be refreshed any more."""

CODE_AT = "codeAt"
"""The claim that says when a code of the second factor was used."""

BAD_TOKEN = _("This token is invalid or has expired.")


def issue(user: User, family: str = "", *, code_at: int = 0) -> dict[str, str]:
    """Issue `{"token", "refresh"}` for a user whose identity was verified, or who is in this family already.

    `code_at` is when a code of the second factor was used at the login, in seconds since 1970.
    """
    family = family or f"{user.token_generation}.{int(time.time()):x}-{secrets.token_urlsafe(15)}"
    access, refresh = (_filled(token, user, family, code_at) for token in (AccessToken(), RefreshToken()))
    return {"token": str(access), "refresh": str(refresh)}


def _filled(token: Token, user: User, family: str, code_at: int) -> Token:
    if code_at:
        token[CODE_AT] = code_at
    token["userId"] = str(user.pk)
    token["email"] = user.email
    token["role"] = user.role
    token["jti"] = f"{family}.{secrets.token_urlsafe(15)}"
    token.set_iat(at_time=timezone.now())
    return token


def _family(jti: str) -> str:
    """Return the token's family; a token of version 0.2 is alone in its own."""
    return jti.rpartition(".")[0] if jti.count(".") > 1 else jti


def read(text: str, kind: type[Token], *, is_fresh: bool = False) -> tuple[User, Token]:
    """Return the token's user; if `is_fresh`, by what the database says now.

    Raises AuthenticationFailed for a tampered, expired or revoked token, and for a disabled or deleted user.
    """
    try:
        token = _verified(kind, text)  # type: ignore[arg-type]  # mypy asks the instance's hash, not the class's
        token.check_exp(current_time=aware_utcnow())
        user_id, jti = UUID(str(token["userId"])), str(token["jti"])
    except (TokenError, KeyError, ValueError) as error:
        raise AuthenticationFailed(BAD_TOKEN) from error
    user = find_user(user_id, is_fresh=is_fresh)
    if user is None or not user.is_active or jti.partition(".")[0] != str(user.token_generation):
        raise AuthenticationFailed(BAD_TOKEN)
    if _has_ended(_family(jti), is_fresh=is_fresh):
        raise AuthenticationFailed(BAD_TOKEN)
    return user, token


@lru_cache(1000)
def _verified(kind: type[Token], text: str) -> Token:
    """Verify the signature, which never changes for the same text, unlike whether it has expired. Raises TokenError."""
    return kind(text)  # type: ignore[arg-type]


def _has_ended(family: str, *, is_fresh: bool) -> bool:
    """Return whether the family has ended. That it has not is remembered as long as its user is, and not believed if `is_fresh`."""
    if not is_fresh and cache.get(_valid(family)):
        return False
    has_ended = has_row(RevokedToken, "jti", family)
    if not has_ended and not is_fresh:
        cache.set(_valid(family), True, USER_CACHE_SECONDS)
    return has_ended


def _valid(family: str) -> str:
    return f"valid-token:{family}"


def find_user(user_id: UUID, *, is_fresh: bool = False) -> User | None:
    """Return the user, as the database has them now if `is_fresh`."""
    if is_fresh:
        forget_user(user_id)
        return next(iter(find_rows(User, [user_id])), None)
    key = f"user:{user_id}"
    kept: dict[str, Any] | None = cache.get(key)
    if kept is None:
        user = next(iter(find_rows(User, [user_id])), None)
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


@receiver([post_save, post_delete], sender=User)
def _forget_changed(instance: User, **_: Any) -> None:
    """Forget the user now, for the rest of the transaction, and after it: another request may have read the old row in the time between."""
    forget_user(instance.pk)
    on_commit(lambda: forget_user(instance.pk))


def revoke(token: Token) -> None:
    """End the token's family: no token that came from this login is good any more."""
    family = _family(token["jti"])
    _write_down(family, timezone.now() + max(settings.JWT_ACCESS_LIFETIME, settings.JWT_REFRESH_LIFETIME))
    cache.delete(_valid(family))


def _write_down(jti: str, expires_at: datetime) -> bool:
    """Record that the token or family has ended. Returns False if it had already: of two requests, one succeeds."""
    if RevokedToken.objects.filter(jti=jti).exists():
        return False
    try:
        RevokedToken.objects.create(jti=jti, expires_at=expires_at)
    except IntegrityError:
        return False
    return True


def revoke_all(user: User) -> None:
    """Revoke every token that was issued to this user, and end every session."""
    user.end_logins()
    forget_user(user.pk)
    on_commit(lambda: forget_user(user.pk))


def _is_too_old(family: str) -> bool:
    """Return whether the login of this family is so long ago that it must be repeated; the family names the second, in hexadecimal."""
    started = re.fullmatch(r"\d+\.([0-9a-f]+)-.+", family)
    return started is not None and time.time() - int(started[1], 16) > MOST_SECONDS


def refresh(text: str) -> dict[str, str]:
    """Exchange a refresh token for new tokens. One that is used a second time ends its family. Raises AuthenticationFailed."""
    user, token = read(text, RefreshToken, is_fresh=True)
    jti = str(token["jti"])
    if _is_too_old(_family(jti)):
        raise AuthenticationFailed(BAD_TOKEN)
    if not _write_down(jti, datetime.fromtimestamp(token["exp"], tz=timezone.get_current_timezone())):
        revoke(token)
        raise AuthenticationFailed(BAD_TOKEN)
    return issue(user, _family(jti) if _family(jti) != jti else "", code_at=code_at(token))


def code_at(token: Token) -> int:
    """Return when a code of the second factor was used at the token's login, in seconds since 1970; 0 for a login without one."""
    return int(token.get(CODE_AT, 0))


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
        return read(text, AccessToken, is_fresh=request.method not in SAFE_METHODS)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def api_user(request: Request) -> User:
    """Return the request's user. Raises NotAuthenticated without a login."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def actor_name(request: Request) -> str:
    """Return the username of who acts, of an API key's maker for a key. Raises NotAuthenticated without either."""
    if not request.user.is_authenticated:
        raise NotAuthenticated
    return request.user.get_username()


def stored_user(request: Request) -> User:
    """Return the request's user, of whom another process may remember what is deleted here. Raises AuthenticationFailed."""
    user = api_user(request)
    if not User.objects.filter(pk=user.pk).exists():
        raise AuthenticationFailed(BAD_TOKEN)
    return user
