import factory
from django.test import Client

from accounts.models import User
from accounts.tokens import issue

PASSWORD = "correct horse battery"


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"buyer{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    password = factory.django.Password(PASSWORD)


class StaffFactory(UserFactory):
    username = factory.Sequence(lambda n: f"staff{n}")
    is_staff = True
    is_superuser = True


class ApiClient(Client):
    """Speaks JSON, and bears a user's token when it is given one."""

    def __init__(self, user=None, **options):
        token = {"HTTP_AUTHORIZATION": f"Bearer {issue(user)['token']}"} if user else {}
        super().__init__(**token, **options)

    def generic(self, method, path, data="", content_type="application/json", *args, **kwargs):
        return super().generic(method, path, data, content_type, *args, **kwargs)

    def post(self, path, data=None, content_type="application/json", **more):
        return super().post(path, data, content_type=content_type, **more)
