"""Read a BOLT11 payment request without a node: its network, amount and expiry. Pure.

The signature is not looked at: LND does that before it pays. Sources: BOLT 11, BIP 173 (bech32 and its checksum).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from payments.networks.address_format import BECH32, BECH32_LETTERS, bech32_checksum

CHAINS = {"lnbcrt": "regtest", "lntbs": "signet", "lntb": "testnet4", "lnbc": "mainnet"}
"""By prefix, the longer before the shorter ones that they begin with."""
MULTIPLIERS = {"m": Decimal("1E-3"), "u": Decimal("1E-6"), "n": Decimal("1E-9"), "p": Decimal("1E-12"), "": Decimal(1)}
HOUR = timedelta(hours=1)
TIMESTAMP_WORDS, SIGNATURE_WORDS, CHECKSUM_WORDS = 7, 104, 6
PAYMENT_HASH, EXPIRY = 1, 6


class BadRequest(ValueError):
    """The request cannot be used. The text is a sentence for the person who gave it."""


@dataclass(frozen=True)
class PaymentRequest:
    chain: str
    amount_msat: int | None
    """None where it leaves the amount to who pays."""
    payment_hash: str
    expires_at: datetime


def read_request(text: str) -> PaymentRequest:
    """Read a payment request. Raises BadRequest."""
    text = text.strip().lower().removeprefix("lightning:")
    human, one, rest = text.rpartition("1")
    prefix = next((prefix for prefix in CHAINS if human.startswith(prefix)), "")
    if not one or not prefix or any(letter not in BECH32_LETTERS for letter in rest):
        raise BadRequest(_("This is not a Lightning invoice: those begin with lnbc."))
    words = [BECH32_LETTERS.index(letter) for letter in rest]
    if len(words) < TIMESTAMP_WORDS + SIGNATURE_WORDS + CHECKSUM_WORDS or bech32_checksum(human, words) != BECH32:
        raise BadRequest(_("This Lightning invoice is not complete. Please copy all of it."))
    fields = _fields(words[TIMESTAMP_WORDS : -SIGNATURE_WORDS - CHECKSUM_WORDS])
    if PAYMENT_HASH not in fields:
        raise BadRequest(_("This Lightning invoice is not complete. Please copy all of it."))
    made_at = datetime.fromtimestamp(_number(words[:TIMESTAMP_WORDS]), UTC)
    expiry = timedelta(seconds=min(_number(fields[EXPIRY]), 10**9)) if EXPIRY in fields else HOUR
    return PaymentRequest(CHAINS[prefix], _amount(human.removeprefix(prefix)), _bytes(fields[PAYMENT_HASH]).hex(), made_at + expiry)


def _amount(text: str) -> int | None:
    if not text:
        return None
    digits, multiplier = (text[:-1], text[-1]) if text[-1].isalpha() else (text, "")
    if not digits.isdigit() or len(digits) > 15 or multiplier not in MULTIPLIERS:
        raise BadRequest(_("This Lightning invoice asks for an amount that cannot be read."))
    msat = Decimal(digits) * MULTIPLIERS[multiplier] * 10**11
    if msat != msat.to_integral_value():
        raise BadRequest(_("This Lightning invoice asks for less than a thousandth of a satoshi."))
    return int(msat)


def _fields(words: list[int]) -> dict[int, list[int]]:
    """Return the tagged fields, the first of each tag."""
    fields: dict[int, list[int]] = {}
    at = 0
    while at + 3 <= len(words):
        length = words[at + 1] * 32 + words[at + 2]
        fields.setdefault(words[at], words[at + 3 : at + 3 + length])
        at += 3 + length
    return fields


def _number(words: list[int]) -> int:
    value = 0
    for word in words:
        value = value * 32 + word
    return value


def _bytes(words: list[int]) -> bytes:
    """Convert to whole bytes, without the padding bits."""
    size = len(words) * 5 // 8
    return (_number(words) >> len(words) * 5 - size * 8).to_bytes(size, "big")
