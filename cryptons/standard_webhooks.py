"""Sign and verify messages between servers with a shared secret, after Standard Webhooks 1.0.

Headers: `webhook-id`, `webhook-timestamp` (Unix seconds) and `webhook-signature` (`v1,` and base64; several of them, separated by spaces,
while a secret is rotated).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """Return the signing key of a secret: base64 after `whsec_`, or the bytes of any other text. Raises ValueError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("the part after whsec_ is not base64") from error
    if not key:
        raise ValueError("the part after whsec_ is empty")
    return key


def sign(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """Return one signature as it is written in the header."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def is_signed(secrets: Iterable[str], webhook_id: str, timestamp: str, body: bytes, signatures: str) -> bool:
    """Return whether any of the signatures was made with any of the secrets. Compared in constant time."""
    given = [signature.encode() for signature in signatures.split(" ")]
    expected = [sign(secret, webhook_id, timestamp, body).encode() for secret in secrets]
    return any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in given])  # noqa: C419 (always all of them)
