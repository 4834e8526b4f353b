"""The caches: in Redis where there is one, otherwise in this process's memory and in files."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def plain_key(name: str, prefix: str, version: int) -> str:
    """Use keys without a prefix (Django's KEY_FUNCTION), because other programs may read them."""
    return name


def redis_caches(url: str) -> dict[str, Any]:
    from redis.connection import parse_url  # redis takes a while to load: only where it is used

    from cryptons.redis_connection import WAIT_SECONDS, connection_class

    try:
        parse_url(url)  # type: ignore[no-untyped-call]
        if "#" in url:
            raise ValueError
    except ValueError as error:
        raise ImproperlyConfigured(
            "REDIS_URL must start with redis://, rediss:// or unix://, as in redis://:password@host:6379/0. Percent-encode what has a "
            "meaning in an address where it belongs to the password, such as # as %23 and / as %2F."
        ) from error
    options = {
        "IGNORE_EXCEPTIONS": True,
        "SOCKET_CONNECT_TIMEOUT": WAIT_SECONDS,
        "SOCKET_TIMEOUT": WAIT_SECONDS,
        "SERIALIZER": "django_redis.serializers.json.JSONSerializer",  # not pickle: who can write to Redis must not run code here
        "CONNECTION_POOL_KWARGS": {"connection_class": connection_class(url)},
    }
    # The prefix leaves alone what an older version pickled.
    redis = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "OPTIONS": options, "KEY_PREFIX": "json"}
    return {
        "default": redis,
        "shared": redis,
        "products": {**redis, "KEY_FUNCTION": plain_key},
    }


def local_caches(folder: Path) -> dict[str, Any]:
    """`default` is this process's own; `shared` is seen by the web and the worker process on the one machine."""
    return {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 5000}},
        "shared": {"BACKEND": "cryptons.file_cache.ForgivingFileCache", "LOCATION": str(folder), "OPTIONS": {"MAX_ENTRIES": 5000}},
        "products": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    }
