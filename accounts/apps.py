from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from django.contrib.auth.models import Group

        import accounts.middleware  # noqa: F401  (its receiver notes when a session began)
        from accounts.models import ApiKey, User
        from cryptons.audit.watching import watch

        persons = ("username", "email", "first_name", "last_name", "phone", "is_active", "is_staff", "is_superuser")
        watch(
            User,
            persons,
            secret=("password", "address"),
            sets=("groups", "user_permissions"),
            always=lambda user: user.is_staff or user.is_superuser,
        )
        watch(Group, ("name",), sets=("permissions",))
        watch(ApiKey, ("name", "scopes", "expires_at", "allowed_ips"), always=lambda key: True)
