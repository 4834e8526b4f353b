"""Make an account, prove who one is, change a password: for pages and API alike."""

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from django.db import IntegrityError
from django.http import HttpRequest

from accounts.models import User
from accounts.tokens import revoke_all
from cryptons.db import in_transaction


class AccountError(Exception):
    """The text is for the person at the form."""


class Taken(AccountError):
    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__("This email address has an account already." if field == "email" else "This username is taken.")


class WrongPassword(AccountError):
    pass


def register(username: str, email: str, password: str) -> User:
    """Raises Taken, also when somebody else was first by a moment."""
    user = User(username=username, email=email)
    user.set_password(password)
    try:
        in_transaction(user.save)
    except IntegrityError as error:
        raise Taken("email" if User.objects.filter(email=user.email).exists() else "username") from error
    return user


def log_in(request: HttpRequest | None, name: str, password: str) -> User | None:
    """The user, by email address or username; None for a wrong name as for a wrong password, after the same time."""
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        return None
    update_last_login(User, user)
    return user


def change_password(user: User, current: str, new: str) -> None:
    """All tokens that were given out before are refused from now on. Raises WrongPassword."""
    if not user.check_password(current):
        raise WrongPassword("The current password is not right.")
    user.set_password(new)
    user.save(update_fields=["password"])
    revoke_all(user)
