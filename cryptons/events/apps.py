from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "cryptons.events"
    label = "events"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from cryptons.api.errors import translate
        from cryptons.audit.watching import watch
        from cryptons.events.endpoints import TooManyEndpoints
        from cryptons.events.webhook_models import WebhookEndpoint

        secret = ("secret", "old_secret")
        watch(WebhookEndpoint, ("url", "description", "events", "is_enabled"), secret=secret, always=lambda endpoint: True)
        translate(TooManyEndpoints, 409, "CONFLICT")
