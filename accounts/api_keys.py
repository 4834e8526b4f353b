"""Keys with which programs use the API: `Authorization: Bearer ck_…`. Only a digest of a key is stored.

A key stands for rights and not for a person: it may do what its scopes name and its maker may do now, and it has no cart, profile or
orders of its own. Where guests may act, it acts as a guest.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache, caches
from django.db.models import Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.models import ApiKey, User
from accounts.tokens import BAD_TOKEN, USER_CACHE_SECONDS, find_user
from cryptons.api.permissions import DJANGO_PERMISSIONS, has_permission
from cryptons.client_address import client_address, read_network
from cryptons.db import on_commit

PREFIX = "ck_"
MANAGE = "api-keys:write"
SCOPES = sorted(DJANGO_PERMISSIONS.keys() - {MANAGE})
"""What a key can be made for. No key makes keys."""
NOTE_USE_AFTER = timedelta(minutes=1)
KNOWN_SECONDS = 86_400
"""How long a key is asked for although its address has sent too many unknown ones."""


class NotPermitted(Exception):
    """The maker of a key has no right that this scope stands for."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


@dataclass(frozen=True)
class KeyHolder:
    """The program that sent a key, where a request has its user."""

    key: ApiKey
    maker: User
    is_authenticated = True
    is_superuser = False

    @property
    def pk(self) -> Any:
        return self.key.pk

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.key.scopes)

    @property
    def is_active(self) -> bool:
        return self.maker.is_active

    @property
    def is_staff(self) -> bool:
        return self.maker.is_staff

    @property
    def person_id(self) -> Any:
        """The maker's, for the audit log."""
        return self.maker.pk

    @property
    def audit_name(self) -> str:
        return f"{self.maker.get_username()} ({self.key.name})"

    def get_username(self) -> str:
        """Return the maker's name: where two persons must agree, a key of the first is not the second."""
        return self.maker.get_username()

    def has_perm(self, right: str) -> bool:
        """Return whether the maker has this right of Django's; `has_permission` asks for the scope."""
        return self.maker.has_perm(right)


def possible_scopes(user: User | AnonymousUser) -> list[str]:
    """List the scopes of which this person has at least one right."""
    return [scope for scope in SCOPES if any(has_permission(user, scope, method) for method in ("GET", "POST", "PATCH", "DELETE"))]


def network_problem(text: str) -> str:
    """Say what is wrong with an address or network that keys are to be accepted from; empty if nothing is."""
    try:
        ip_network(text)
    except ValueError:
        return _("This is no IP address or network, such as 192.0.2.7 or 192.0.2.0/24.")
    return ""


def make_key(
    user: User, name: str, scopes: Collection[str], *, expires_at: datetime | None = None, allowed_ips: Collection[str] = ()
) -> tuple[ApiKey, str]:
    """Make a key. Returns its row and the key itself, which is stored nowhere. Raises NotPermitted."""
    possible = possible_scopes(user)
    for scope in scopes:
        if scope not in possible:
            raise NotPermitted(scope)
    text = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        user=user,
        name=name,
        start=text[:10],
        digest=_digest(text),
        scopes=sorted(set(scopes)),
        allowed_ips=list(allowed_ips),
        created_at=timezone.now(),
        expires_at=expires_at,
    )
    return key, text


def holder_of(request: HttpRequest) -> KeyHolder | None:
    """Return who sent the request's key, as it was when this was first asked. None without a key, and for one that is not good.

    What changes something is answered by what the database says now.
    """
    if not hasattr(request, "_key_holder"):
        text = sent_key(request)
        is_fresh = request.method not in SAFE_METHODS
        request._key_holder = find_holder(text, client_address(request), is_fresh=is_fresh) if text else None  # type: ignore[attr-defined]
    holder: KeyHolder | None = request._key_holder  # type: ignore[attr-defined]
    return holder


def sent_key(request: HttpRequest) -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text.strip().startswith(PREFIX) else ""


class KeyAuthentication(BaseAuthentication):
    """Accept `Authorization: Bearer ck_…`; what else is sent there is a token."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        if not sent_key(request._request):
            return None
        holder = holder_of(request._request)
        if holder is None:
            raise AuthenticationFailed(BAD_TOKEN)
        return holder, holder.key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def find_holder(text: str, address: IPv4Address | IPv6Address | None, *, is_fresh: bool) -> KeyHolder | None:
    """Return who has this key; None for an unknown or expired one, another address, or a maker who is no longer staff."""
    key = _find_key(_digest(text), is_fresh=is_fresh)
    if key is None or (key.expires_at and key.expires_at <= timezone.now()) or not _is_allowed(key, address):
        return None
    maker = find_user(key.user_id, is_fresh=is_fresh)
    if maker is None or not (maker.is_active and maker.is_staff):
        return None
    _note_use(key, address)
    return KeyHolder(key, maker)


def is_known(text: str) -> bool:
    """Return whether this key was used within a day. Asks the cache alone."""
    return caches["shared"].has_key(f"known-key:{_digest(text)}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _find_key(digest: str, *, is_fresh: bool) -> ApiKey | None:
    name = f"api-key:{digest}"
    kept: dict[str, Any] | None = None if is_fresh else cache.get(name)
    fields = ApiKey._meta.concrete_fields
    if kept is not None:
        return ApiKey.from_db("default", [field.attname for field in fields], [field.to_python(kept[field.attname]) for field in fields])
    key = ApiKey.objects.filter(digest=digest).first()
    if key is not None:
        cache.set(name, {field.attname: field.value_from_object(key) for field in fields}, USER_CACHE_SECONDS)
        caches["shared"].set(f"known-key:{digest}", True, KNOWN_SECONDS)
    return key


@receiver(post_delete, sender=ApiKey)
def _forget_key(instance: ApiKey, **_: Any) -> None:
    for forget in (
        partial(cache.delete, f"api-key:{instance.digest}"),
        partial(caches["shared"].delete, f"known-key:{instance.digest}"),
    ):
        forget()
        on_commit(forget)


def _is_allowed(key: ApiKey, address: IPv4Address | IPv6Address | None) -> bool:
    return not key.allowed_ips or (address is not None and any(address in read_network(network) for network in key.allowed_ips))


def _note_use(key: ApiKey, address: IPv4Address | IPv6Address | None) -> None:
    """Write down when and from where the key was used, at most once a minute."""
    now = timezone.now()
    if key.last_used_at is not None and key.last_used_at > now - NOTE_USE_AFTER:
        return
    is_old = Q(last_used_at=None) | Q(last_used_at__lte=now - NOTE_USE_AFTER)
    ApiKey.objects.filter(is_old, pk=key.pk).update(last_used_at=now, last_used_ip=str(address or ""))
    cache.delete(f"api-key:{key.digest}")
