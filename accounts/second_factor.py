"""A second factor at the login: codes of an app, each good once, and recovery codes for when the telephone is away."""

import time
from datetime import datetime

from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise
from rest_framework_simplejwt.tokens import Token

from accounts.login_limits import CODE, count_try
from accounts.mails import mail_second_factor_changed
from accounts.models import RecoveryCode, SecondFactor, User
from accounts.one_time_codes import clean, matching_steps, new_recovery_code, new_secret, recovery_hash
from accounts.tokens import code_at, revoke_all
from cryptons.audit.writing import audit
from cryptons.db import in_transaction, made_at

RECOVERY_CODES = 10
FRESH_SECONDS = 15 * 60
"""How long after a code nothing that it protects asks for another one."""
SESSION_KEY = "second_factor_at"
SWITCHED_ON = gettext_lazy("The second factor of your account was switched on. All other devices and API tokens are logged out.")
SWITCHED_OFF = gettext_lazy("The second factor of your account was switched off. All other devices and API tokens are logged out.")
SWITCHED_OFF_BY_UNDO = gettext_lazy(
    "Your account has its former email address again. The second factor that was set up since the change is switched off."
)
NEW_CODES = gettext_lazy("Your account has new recovery codes. The old ones are no longer valid.")


def begin(user: User) -> SecondFactor:
    """Make a new secret, which counts once a code of it was typed. A second factor that is in use stays as it is."""
    factor, is_new = SecondFactor.objects.get_or_create(user=user, defaults={"secret": new_secret()})
    if not is_new and SecondFactor.objects.filter(pk=factor.pk, confirmed_at=None).update(secret=(secret := new_secret())):
        factor.secret = secret
    return factor


def pending(user: User) -> SecondFactor | None:
    return SecondFactor.objects.filter(user=user, confirmed_at=None).first()


def confirm(user: User, code: str) -> list[str] | None:
    """Switch the second factor on, which ends all sessions and tokens. Returns the recovery codes; None for a wrong code."""
    factor = pending(user)
    if factor is None or not _use(factor, clean(code)):
        return None

    def act() -> list[str]:
        SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=timezone.now())
        User.objects.filter(pk=user.pk).update(has_second_factor=True)
        audit("change", user, {"has_second_factor": (False, True)})
        revoke_all(user)
        mail_second_factor_changed(user, SWITCHED_ON)
        return _renew_recovery_codes(user)

    codes = in_transaction(act)
    user.has_second_factor = True
    return codes


def remove(user: User, why: StrOrPromise = SWITCHED_OFF) -> None:
    """Switch the second factor off, which ends all sessions and tokens. The user is mailed `why`, a lazily translated sentence."""

    def act() -> None:
        SecondFactor.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        User.objects.filter(pk=user.pk).update(has_second_factor=False)
        audit("change", user, {"has_second_factor": (True, False)})
        revoke_all(user)
        mail_second_factor_changed(user, why)

    in_transaction(act)
    user.has_second_factor = False


def remove_newer(user: User, since: datetime) -> None:
    """Switch off a second factor that was begun or set up since then, and take back recovery codes that were made since then.

    For the transaction in which the owner gets an account back that somebody else had since then.
    """
    codes = RecoveryCode.objects.filter(user=user)
    codes.filter(pk__in=[pk for pk in codes.values_list("pk", flat=True) if made_at(pk) >= since]).delete()
    if SecondFactor.objects.filter(user=user, confirmed_at__gte=since).exists():
        remove(user, SWITCHED_OFF_BY_UNDO)
    else:
        SecondFactor.objects.filter(user=user, confirmed_at=None).delete()


def renew_recovery_codes(user: User) -> list[str]:
    """Replace all recovery codes. Returns the new ones, which are stored nowhere."""

    def act() -> list[str]:
        mail_second_factor_changed(user, NEW_CODES)
        return _renew_recovery_codes(user)

    return in_transaction(act)


def _renew_recovery_codes(user: User) -> list[str]:
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=recovery_hash(code)) for code in codes])
    return codes


def count_recovery_codes(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def check_code(request: HttpRequest, user: User, typed: str) -> bool:
    """Use up a code of the app, or a recovery code. Returns False, and sends `user_login_failed`, for a wrong or used one.

    Raises TooManyTries.
    """
    trial, code = count_try(request, CODE, user), clean(typed)
    factor = SecondFactor.objects.filter(user=user).exclude(confirmed_at=None).first()
    if factor is not None and (_use(factor, code) or _use_recovery_code(user, code)):
        trial.succeeded()
        return True
    user_login_failed.send(sender=__name__, credentials={"username": user.username}, request=request)
    return False


def _use(factor: SecondFactor, code: str) -> bool:
    """Use up this code of the app: it counts only if it is newer than the last one, so of two requests one succeeds."""
    return any(
        SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step)
        for step in matching_steps(factor.secret, code, at=time.time())
    )


def _use_recovery_code(user: User, code: str) -> bool:
    unused = RecoveryCode.objects.filter(user=user, digest=recovery_hash(code), used_at=None)
    return bool(unused.update(used_at=timezone.now()))


def mark_fresh(request: HttpRequest) -> None:
    """Remember in the session that a code was typed now."""
    request.session[SESSION_KEY] = int(time.time())


def is_fresh(request: HttpRequest) -> bool:
    """Return whether this session need not ask for a code: it did lately, or its user has no second factor."""
    if not (isinstance(request.user, User) and request.user.has_second_factor):
        return True
    return _is_recent(int(request.session.get(SESSION_KEY, 0)))


def is_fresh_login(user: User, token: Token) -> bool:
    """Return whether a code was used lately at the login that this token comes from, or the user has no second factor."""
    return not user.has_second_factor or _is_recent(code_at(token))


def _is_recent(at: int) -> bool:
    return time.time() - at < FRESH_SECONDS
