"""Fields whose contents are encrypted with FIELD_ENCRYPTION_KEY, for databases that others can read or back up.

AES-256-GCM, bound to the column, so that a value cannot be moved to another one. Without a key the values are stored as they are, and what
was stored so is still read. The column is of the same type either way, so there is nothing to migrate.
"""

import base64
import hashlib
import json
import secrets
from typing import Any

from Crypto.Cipher import AES
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

SEALED = "sealed"
NONCE_BYTES, TAG_BYTES = 12, 16


def seal(plain: str, column: str) -> str:
    """Encrypt with the first key: `<id of the key>.<base64 of nonce, text and tag>`."""
    key, nonce = _derive(settings.FIELD_ENCRYPTION_KEY[0]), secrets.token_bytes(NONCE_BYTES)
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES)
    cipher.update(column.encode())
    text, tag = cipher.encrypt_and_digest(plain.encode())
    return f"{key_id(key)}.{base64.b64encode(nonce + text + tag).decode()}"


def unseal(sealed: str, column: str) -> str:
    """Decrypt with the key that is named in the text. Raises ImproperlyConfigured if it is missing, ValueError if the text was changed."""
    name, _, encoded = sealed.partition(".")
    key = {key_id(key): key for key in map(_derive, settings.FIELD_ENCRYPTION_KEY)}.get(name)
    if key is None:
        raise ImproperlyConfigured(f"FIELD_ENCRYPTION_KEY must have the key {name} as well: {column} was encrypted with it.")
    raw = base64.b64decode(encoded)
    cipher = AES.new(key, AES.MODE_GCM, nonce=raw[:NONCE_BYTES], mac_len=TAG_BYTES)
    cipher.update(column.encode())
    return cipher.decrypt_and_verify(raw[NONCE_BYTES:-TAG_BYTES], raw[-TAG_BYTES:]).decode()


def _derive(key: str) -> bytes:
    return hashlib.sha256(b"cryptons field encryption" + key.encode()).digest()


def key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]


class EncryptedField(models.Field[Any, Any]):
    """What the encrypted fields share. Migrations see the plain field, because the column is the same."""

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs

    @property
    def _column(self) -> str:
        return f"{self.model._meta.label_lower}.{self.attname}"


class EncryptedTextField(EncryptedField, models.TextField[Any, Any]):
    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, str) and value and settings.FIELD_ENCRYPTION_KEY:
            value = f"{SEALED}:{seal(value, self._column)}"
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, *_: Any) -> Any:
        is_sealed = isinstance(value, str) and value.startswith(f"{SEALED}:")
        return unseal(value.removeprefix(f"{SEALED}:"), self._column) if is_sealed else value


class EncryptedJSONField(EncryptedField, models.JSONField):
    """Its lookups by key find nothing in what is encrypted."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, dict) and value and settings.FIELD_ENCRYPTION_KEY:
            value = {SEALED: seal(json.dumps(value), self._column)}
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        stored = super().from_db_value(value, expression, connection)
        return json.loads(unseal(stored[SEALED], self._column)) if isinstance(stored, dict) and set(stored) == {SEALED} else stored
