from django.apps import AppConfig


class CryptonsConfig(AppConfig):
    name = "cryptons"

    def ready(self) -> None:
        from cryptons import celery, checks, client_address  # noqa: F401  (shared tasks belong to the Celery app that is there first)
