"""Register, log in, change a password: the same for pages and API."""

from django.contrib.auth import authenticate
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.links import is_reserved
from accounts.login_limits import PASSWORD, count_try
from accounts.mails import mail_password_changed
from accounts.models import User
from cryptons.db import in_transaction


class AccountError(Exception):
    """A refusal whose text can be shown in the form."""


class Taken(AccountError):
    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(_("This email address already has an account.") if field == "email" else _("This username is taken."))


class WrongPassword(AccountError):
    pass


def register(username: str, email: str, password: str, *, language: str = "") -> User:
    """Create the account. Raises Taken, also if another request took the name at the same moment."""
    if is_reserved(email):
        raise Taken("email")
    user = User(username=username, email=email, language=language)
    user.set_password(password)
    try:
        in_transaction(user.save)
    except IntegrityError as error:
        raise Taken("email" if User.objects.filter(email=user.email).exists() else "username") from error
    return user


def check_login(request: HttpRequest, name: str, password: str) -> User | None:
    """Return the user with this email address or username, or None for a wrong name or password, after the same time.

    Raises TooManyTries.
    """
    trial = count_try(request, PASSWORD, _named(name), name)
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        trial.failed()
        return None
    trial.succeeded()
    return user


def _named(name: str) -> User | None:
    try:
        return User.objects.get_by_natural_key(name)
    except User.DoesNotExist:
        return None


def check_current_password(request: HttpRequest, user: User, password: str) -> None:
    """Raise WrongPassword, or TooManyTries, unless this is the password of who is logged in."""
    trial = count_try(request, PASSWORD, user)
    if not user.check_password(password):
        trial.failed()
        raise WrongPassword(_("The current password is wrong."))
    trial.succeeded()


def change_password(request: HttpRequest, user: User, current: str, new: str) -> None:
    """Change the password, which ends all sessions and tokens. Raises WrongPassword, TooManyTries."""
    check_current_password(request, user, current)
    user.set_password(new)
    user.save(update_fields=["password"])
    in_transaction(lambda: mail_password_changed(user))
