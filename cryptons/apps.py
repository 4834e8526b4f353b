from django.apps import AppConfig


class CryptonsConfig(AppConfig):
    name = "cryptons"

    def ready(self) -> None:
        from cryptons import checks, client_address  # noqa: F401
