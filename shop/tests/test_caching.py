"""What is kept where: private answers nowhere, and in Redis nothing that a reader would execute."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.serializers.json import DjangoJSONEncoder
from django.test import Client
from django.utils import timezone

from accounts.tests.factories import UserFactory
from accounts.tokens import find_user, issue
from cryptons.cache_config import redis_caches
from payments.api.nodes import recent_nodes
from payments.models import Rate
from payments.rates.current import current_rates, publish_rates
from shop.context import _roots
from shop.tests.factories import CategoryFactory

PRIVATE_PAGES = ["/account/", "/account/address/", "/account/password/", "/account/orders/", "/cart/"]
PRIVATE_ANSWERS = ["/api/auth/profile", "/api/orders", "/api/cart"]


class JsonCache(LocMemCache):
    """Keeps values as Redis does: JSON, by django-redis's encoder."""

    def set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> None:
        super().set(key, json.dumps(value, cls=DjangoJSONEncoder), *args, **kwargs)

    def add(self, key: str, value: Any, *args: Any, **kwargs: Any) -> bool:
        return bool(super().add(key, json.dumps(value, cls=DjangoJSONEncoder), *args, **kwargs))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        kept = super().get(key, None, version)
        return default if kept is None else json.loads(kept)


@pytest.fixture
def _json_caches(settings: Any) -> Iterator[None]:
    cache = {"BACKEND": f"{__name__}.JsonCache"}
    settings.CACHES = {name: {**cache, "LOCATION": name} for name in settings.CACHES}
    yield
    for each in caches.all():
        each.clear()


@pytest.mark.django_db
@pytest.mark.usefixtures("_json_caches")
def test_what_redis_keeps_can_be_read_from_json(django_assert_num_queries, settings):
    user = UserFactory(phone="1", address={"city": "Bern"})
    settings.FIXED_RATES = {}
    Rate.objects.create(
        coin="BTC", currency="USD", minor_per_coin=Decimal("6500000.5"), quoted_at=timezone.now(), sources={"kraken": "65000.005"}
    )
    CategoryFactory(name="Tents")
    find_user(user.pk)
    published, roots, nodes = publish_rates(), _roots(), recent_nodes()
    session = SessionStore()
    session["orders"] = [str(user.pk)]
    session.save()

    with django_assert_num_queries(0):
        kept = find_user(user.pk)
        assert current_rates() == published
        assert _roots() == roots != []
        assert recent_nodes() == json.loads(json.dumps(nodes, cls=DjangoJSONEncoder))
        assert SessionStore(session.session_key)["orders"] == [str(user.pk)]
        assert kept == user
        assert (kept.pk, kept.email, kept.is_staff, kept._state.adding) == (user.pk, user.email, False, False)
        assert abs((kept.date_joined - user.date_joined).total_seconds()) < 0.001
        assert (kept.address, kept.phone) == ({"city": "Bern"}, "1")
    assert kept.password == user.password  # read from the database: its hash is not cached


def test_every_cache_in_redis_is_json():
    for cache in redis_caches("redis://127.0.0.1:1/0").values():
        assert cache["OPTIONS"]["SERIALIZER"] == "django_redis.serializers.json.JSONSerializer"


@pytest.mark.django_db
@pytest.mark.parametrize("path", PRIVATE_PAGES)
def test_no_browser_or_proxy_keeps_a_private_page(client: Client, path: str):
    client.force_login(UserFactory())
    page = client.get(path)

    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]


@pytest.mark.django_db
def test_no_browser_or_proxy_keeps_a_private_answer_of_the_api(client: Client):
    user = UserFactory(password="a long password")
    headers = {"Authorization": f"Bearer {issue(user)['token']}"}

    answers = [client.get(path, headers=headers) for path in PRIVATE_ANSWERS]
    answers.append(client.post("/api/auth/login", {"email": user.email, "password": "a long password"}, content_type="application/json"))
    answers.append(client.post("/api/auth/refresh", {"refresh": "x"}, content_type="application/json"))

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 401]
    assert all("no-store" in answer["Cache-Control"] for answer in answers)
