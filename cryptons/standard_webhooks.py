"""Messages between servers that are signed with a shared secret, as Standard Webhooks 1.0 has them: headers `webhook-id`,
`webhook-timestamp` (Unix seconds) and `webhook-signature` (`v1,` and base64; several of them, separated by spaces, while secrets change).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The bytes that sign: behind `whsec_` stands base64; any other text is taken as it is. Raises ValueError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("what stands behind whsec_ is not base64") from error
    if not key:
        raise ValueError("nothing stands behind whsec_")
    return key


def sign(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """One signature, as the header bears it."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def is_signed(secrets: Iterable[str], webhook_id: str, timestamp: str, body: bytes, signatures: str) -> bool:
    """Whether any of the signatures is by any of the secrets. Each is compared in a time that tells nothing of how much of it is right."""
    given = [signature.encode() for signature in signatures.split(" ")]
    wanted = [sign(secret, webhook_id, timestamp, body).encode() for secret in secrets]
    return any([hmac.compare_digest(one, other) for one in wanted for other in given])  # noqa: C419 (all of them, always)
