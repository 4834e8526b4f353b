from typing import Any

from django.test import Client
from factory.declarations import LazyAttribute, Sequence
from factory.django import DjangoModelFactory, Password

from accounts.models import User
from accounts.tokens import issue

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda n: f"buyer{n}")
    email = LazyAttribute(lambda user: f"{user.username}@example.com")
    password = Password(PASSWORD)


class StaffFactory(UserFactory):
    username = Sequence(lambda n: f"staff{n}")
    is_staff = True
    is_superuser = True


class ApiClient(Client):
    """Speaks JSON, and bears a user's token when it is given one."""

    def __init__(self, user: User | None = None, **options: Any) -> None:
        token: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {issue(user)['token']}"} if user else {}
        super().__init__(**token, **options)

    def generic(  # type: ignore[override]
        self, method: str, path: Any, data: Any = "", content_type: str | None = "application/json", **more: Any
    ) -> Any:
        return super().generic(method, path, data, content_type, **more)

    def post(self, path: Any, data: Any = None, content_type: str = "application/json", *args: Any, **kwargs: Any) -> Any:
        return super().post(path, data, content_type, *args, **kwargs)
