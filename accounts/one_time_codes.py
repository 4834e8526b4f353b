"""The codes of authenticator apps (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes to print."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DRIFT = 1
"""Steps that a telephone's clock may be early or late."""
DIGITS = 6
SECRET_BYTES = 20
RECOVERY_BYTES = 15
"""120 bits: too many to be guessed from their hash."""
GROUP = 4


def new_secret() -> str:
    """Return a random secret in base 32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int) -> str:
    """Return the code of this step, counted from 1970 (RFC 4226, section 5.3)."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_steps(secret: str, code: str, *, at: float) -> Iterator[int]:
    """Yield the steps around `at`, in seconds since 1970, whose code this is; mostly none or one."""
    now = int(at) // STEP_SECONDS
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            yield step


def app_uri(secret: str, *, account: str, shop: str) -> str:
    """Return the address that apps read from a QR code."""
    return f"otpauth://totp/{quote(f'{shop}:{account}')}?{urlencode({'secret': secret, 'issuer': shop}, quote_via=quote)}"


def grouped(text: str) -> str:
    """Return the text in groups that are easy to type."""
    return " ".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def clean(code: str) -> str:
    """Return what was typed without the spaces and dashes between groups."""
    return "".join(letter for letter in code.upper() if letter.isalnum())


def new_recovery_code() -> str:
    return base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()


def recovery_hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
