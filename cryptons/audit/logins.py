"""Logins, logouts and failed logins in the audit log. What was typed as a name is kept only if it is somebody's: it may be a password."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from cryptons.audit.acting import Actor, acting, current_actor
from cryptons.audit.writing import audit


@receiver(user_logged_in)
def _logged_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    at = _actor(request)
    audit("login", user, actor=Actor(at.way, user.pk, user.get_username(), at.address))


@receiver(user_logged_out)
def _logged_out(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if user is not None:
        at = _actor(request)
        audit("logout", user, actor=Actor(at.way, user.pk, user.get_username(), at.address))


@receiver(user_login_failed)
def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    users: Any = get_user_model()._default_manager
    try:
        user = users.get_by_natural_key(credentials.get("username"))
    except users.model.DoesNotExist:
        user = None
    at = _actor(request)
    audit("failed login", user, actor=Actor(at.way, address=at.address))


def _actor(request: HttpRequest | None) -> Actor:
    if request is None:
        return current_actor()
    with acting(request):
        return current_actor()
