from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts.addresses import validate_address
from accounts.plain_text import validate_plain_text
from cryptons.db import BaseModel, atomic
from cryptons.email_domain import readable_email, validate_mail_address
from cryptons.encryption import EncryptedJSONField, EncryptedTextField
from cryptons.waiting_requests import WaitingRequest


class ShopUserManager(UserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return readable_email(super().normalize_email(email)).lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find the user by username or email address, in upper or lower case."""
        name = readable_email((username or "").strip()).lower()
        return self.get(models.Q(email=name) if "@" in name else models.Q(username=name))


UNTOUCHED = frozenset({"last_login", "token_generation", "has_second_factor"})
"""Columns that change without anybody editing the user."""
ENDING = ("password", "is_active", "is_staff")
"""The columns of a user of which a change can end all logins."""


class User(BaseModel, AbstractUser):
    """A shopper or a member of staff. `username` and `email` are unique, compared and stored in lower case."""

    first_name = models.CharField(_("first name"), max_length=150, blank=True, validators=[validate_plain_text])
    last_name = models.CharField(_("last name"), max_length=150, blank=True, validators=[validate_plain_text])
    email = models.EmailField(_("email address"), unique=True, validators=[validate_mail_address])
    phone = models.CharField(_("phone"), max_length=40, blank=True, validators=[validate_plain_text])
    address = EncryptedJSONField(_("address"), default=dict, blank=True, validators=[validate_address])
    """The shipping address with these keys (`name, street, street2, city, region, postalCode, country`), or empty."""
    verified_email = models.EmailField(_("verified email address"), blank=True, editable=False)
    """The address that was last proven by a link from a mail; another one in `email` counts as not verified."""
    language = models.CharField(_("language"), max_length=10, blank=True, editable=False)
    """In which mails about the account are written; empty: the shop's first."""
    token_generation = models.PositiveIntegerField(default=0, editable=False)
    """Tokens and sessions of an older generation are refused. See `end_logins`."""
    has_second_factor = models.BooleanField(_("second factor"), default=False, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    """When this user was last edited; not the last login."""

    objects: ClassVar[ShopUserManager] = ShopUserManager()

    class Meta(AbstractUser.Meta):
        pass

    _password: str | None
    """Django's: what `set_password` was given, until it is saved."""
    _stored: ClassVar[dict[str, Any]] = {}
    """What the database has of the columns of which a change can end all logins; each user that was read has its own."""

    @classmethod
    def from_db(  # type: ignore[override]  # the stubs are of a newer Django
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> "User":
        user = super().from_db(db, field_names, values)
        user._remember(field_names)
        return user

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: "models.QuerySet[User] | None" = None
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        self._remember(ENDING if names is None else names)

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save, and end all logins if this sets a password, closes the account or takes staff away. These two end API keys as well."""
        self.username = self.username.lower()
        self.email = readable_email(self.email).lower()
        if self._state.adding or args:
            super().save(*args, update_fields=update_fields, **kwargs)
            self._remember(ENDING)
            return
        written = self._loaded_columns() - {"token_generation", "has_second_factor"} if update_fields is None else set(update_fields)
        if not written <= UNTOUCHED:
            self.updated_at = timezone.now()
            written.add("updated_at")
        if not self._ends_logins(written):
            super().save(update_fields=written, **kwargs)
        else:
            with atomic():
                super().save(update_fields=written, **kwargs)
                self.end_logins()
                if not (self.is_active and self.is_staff):
                    self.api_keys.all().delete()
        self._remember(written)

    def _loaded_columns(self) -> set[str]:
        return {field.name for field in self._meta.concrete_fields if not field.primary_key} - self.get_deferred_fields()

    def _ends_logins(self, written: Collection[str]) -> bool:
        """Return whether saving these columns sets a password, or takes `is_active` or `is_staff` away."""
        if "password" in written and (self._password is not None or self._stored.get("password", self.password) != self.password):
            return True
        return any(name in written and self._stored.get(name) and not getattr(self, name) for name in ("is_active", "is_staff"))

    def _remember(self, names: Collection[str]) -> None:
        """Remember what was just read or written."""
        seen = {name: self.__dict__[name] for name in ENDING if name in names and name in self.__dict__}
        self.__dict__["_stored"] = {**self._stored, **seen}

    def end_logins(self) -> None:
        """End every session and refuse every token of this user from now on."""
        type(self).objects.filter(pk=self.pk).update(token_generation=models.F("token_generation") + 1)
        self.refresh_from_db(fields=["token_generation"])

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Bind sessions to the generation too. That of a user whose logins were never ended is Django's own."""
        salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        return salted_hmac(salt, f"{self.password}{self.token_generation or ''}", secret=secret, algorithm="sha256").hexdigest()

    @property
    def role(self) -> str:
        return "admin" if self.is_staff else "user"

    @property
    def lacks_second_factor(self) -> bool:
        """Return whether this member of staff must set up a second factor before they may do anything as staff."""
        return settings.STAFF_TWO_FACTOR == "required" and self.is_staff and not self.has_second_factor

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return not self.lacks_second_factor and super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return not self.lacks_second_factor and super().has_module_perms(app_label)

    @property
    def has_verified_email(self) -> bool:
        return bool(self.email) and self.email == self.verified_email


class RevokedToken(BaseModel):
    """A token that was given back or used up; forgotten once it would have expired anyway."""

    jti = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.jti


class SecondFactor(BaseModel):
    """The secret that a user's app makes codes of."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor")
    secret = EncryptedTextField()
    confirmed_at = models.DateTimeField(null=True)
    """When the first code was typed; empty: not in use yet."""
    last_step = models.BigIntegerField(default=0)
    """The step of the last code that was used (accounts.one_time_codes)."""

    def __str__(self) -> str:
        return self.user.username


class RecoveryCode(BaseModel):
    """Logs in once without the app."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return self.user.username


class ReadyGroup(BaseModel):
    """A group that was made for the merchant, and the rights that it got, to tell whether the merchant has changed it."""

    name = models.CharField(max_length=150, unique=True)
    rights = models.JSONField(default=list)
    """Sorted; each is `app.act_model`."""

    def __str__(self) -> str:
        return self.name


class AccountLink(BaseModel):
    """The link of one kind that a mail to one address holds, good for one use. A newer link of its kind to the same address replaces it."""

    class Kind(models.TextChoices):
        RESET = "reset", _("new password")
        VERIFY = "verify", _("verification of an email address")
        CHANGE = "change", _("change of the email address")
        UNDO = "undo", _("undoing a change of the email address")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    email = models.EmailField()
    """Where it is mailed to, and what it proves to be the user's."""
    digest = models.CharField(max_length=64)
    """Of the link's random part, and of what must not change before it is used (accounts.links)."""
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind", "email"], name="one_link_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.kind} → {self.email}"


class LinkRequest(WaitingRequest):
    """Somebody's wish for a link to this address, whether or not it has an account: a task finds out, so that the answer cannot tell."""

    kind = models.CharField(max_length=10, choices=AccountLink.Kind.choices)
    language = models.CharField(max_length=10, blank=True)
    """Of the page; empty: the user's."""

    def __str__(self) -> str:
        return f"{self.kind} → {self.email}"


class KnownDevice(BaseModel):
    """A browser, by its cookie, or a network, by its address, from which a user has logged in."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_devices")
    mark = models.CharField(max_length=64)
    """A digest of the cookie's value or of the network (accounts.devices)."""
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "mark"], name="known_device_once")]

    def __str__(self) -> str:
        return self.mark


class ApiKey(BaseModel):
    """Lets a program do what its scopes name, as long as the member of staff who made it may do that. See accounts.api_keys."""

    user = models.ForeignKey(User, verbose_name=_("made by"), on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=100, validators=[validate_plain_text])
    start = models.CharField(_("begins with"), max_length=12)
    """The key's first characters, to recognise it by."""
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the key. It is random, so nobody can guess it from that."""
    scopes = models.JSONField(_("scopes"), default=list)
    """Names of DJANGO_PERMISSIONS (cryptons.api.permissions), sorted."""
    allowed_ips = models.JSONField(_("allowed addresses"), default=list, blank=True)
    """IP addresses and networks such as `192.0.2.0/24`; empty: any."""
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True)
    last_used_ip = models.CharField(_("last used from"), max_length=45, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"
