from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "cryptons.events"
    label = "events"
