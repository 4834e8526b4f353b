from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SettingsConfig(AppConfig):
    name = "shop.settings"
    label = "settings"
    verbose_name = _("Settings")

    def ready(self) -> None:
        from cryptons import shop_identity
        from cryptons.api.errors import translate
        from shop.settings.changes import SettingsMoved
        from shop.settings.current import read_identity

        shop_identity.register(read_identity)
        translate(SettingsMoved, 409, "CONFLICT")
