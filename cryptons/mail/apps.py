from django.apps import AppConfig


class MailConfig(AppConfig):
    name = "cryptons.mail"
    label = "mail"
