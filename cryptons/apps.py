from django.apps import AppConfig


class CryptonsConfig(AppConfig):
    name = "cryptons"
