"""Check the signature of a webhook of Stripe: the header `Stripe-Signature: t=1700000000,v1=hex[,v1=hex]`."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime

_SECONDS = re.compile(r"[0-9]{1,11}")


def signed_at(secrets: Iterable[str], body: bytes, header: str) -> datetime | None:
    """Return the signed time; None if no signature was made with one of the secrets. All are compared, always."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    seconds = next((value for name, value in parts if name.strip() == "t"), "")
    if not _SECONDS.fullmatch(seconds):
        return None
    given = [value.strip().encode() for name, value in parts if name.strip() == "v1"]
    made = [hmac.digest(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hex().encode() for secret in secrets]
    matches = [hmac.compare_digest(signature, candidate) for signature in made for candidate in given]
    return datetime.fromtimestamp(int(seconds), UTC) if any(matches) else None
