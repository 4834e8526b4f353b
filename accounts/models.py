from django.contrib.auth.models import AbstractUser
from django.db import models

from cryptons.db import BaseModel


class User(BaseModel, AbstractUser):
    """A shopper or a member of staff. `username` and `email` are unique, compared and stored in lower case."""

    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=40, blank=True)
    address = models.JSONField(default=dict, blank=True)
    """The shipping address with API.md's keys (`name, street, street2, city, region, postalCode, country`), or empty."""
    token_generation = models.PositiveIntegerField(default=0)
    """Tokens of an older generation are refused; logout everywhere and a password change raise it."""

    class Meta(AbstractUser.Meta):
        pass

    @property
    def role(self) -> str:
        return "admin" if self.is_staff else "user"
