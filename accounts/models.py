from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.addresses import validate_address
from accounts.plain_text import validate_plain_text
from cryptons.db import BaseModel
from cryptons.encryption import EncryptedJSONField


class ShopUserManager(UserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return super().normalize_email(email).lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find the user by username or email address, in upper or lower case."""
        name = (username or "").strip().lower()
        return self.get(models.Q(email=name) if "@" in name else models.Q(username=name))


class User(BaseModel, AbstractUser):
    """A shopper or a member of staff. `username` and `email` are unique, compared and stored in lower case."""

    first_name = models.CharField(_("first name"), max_length=150, blank=True, validators=[validate_plain_text])
    last_name = models.CharField(_("last name"), max_length=150, blank=True, validators=[validate_plain_text])
    email = models.EmailField(_("email address"), unique=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True, validators=[validate_plain_text])
    address = EncryptedJSONField(_("address"), default=dict, blank=True, validators=[validate_address])
    """The shipping address with these keys (`name, street, street2, city, region, postalCode, country`), or empty."""
    token_generation = models.PositiveIntegerField(default=0, editable=False)
    """Tokens of an older generation are refused; a password change raises it."""

    objects: ClassVar[ShopUserManager] = ShopUserManager()

    class Meta(AbstractUser.Meta):
        pass

    def save(self, *args: object, **kwargs: object) -> None:
        self.username = self.username.lower()
        self.email = self.email.lower()
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def role(self) -> str:
        return "admin" if self.is_staff else "user"


class RevokedToken(BaseModel):
    """A token that was given back or used up; forgotten once it would have expired anyway."""

    jti = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.jti
