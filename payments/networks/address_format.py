"""Check an address without a node, by its form and checksum. Pure. Sources: BIP 173 and BIP 350 (bech32, bech32m), Base58Check."""

import hashlib

from cryptons.coins import CoreCoin

BECH32_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32, BECH32M = 1, 0x2BC830A3
"""What the checksum of a correct address is: with version 0, and with later ones."""
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
BASE58_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE58_SIZE = 25
"""A version, 20 bytes of a hash and 4 bytes of checksum."""


def is_address(coin: CoreCoin, text: str) -> bool:
    """Return whether the text is an address of the coin, on any of its chains."""
    human, one, rest = text.rpartition("1")
    if one and human in {chain.bech32_prefix for chain in coin.chains.values()}:
        return _is_segwit(human, rest)
    return _base58_version(text) in coin.base58_versions


def _is_segwit(human: str, rest: str) -> bool:
    if any(letter not in BECH32_LETTERS for letter in rest) or len(rest) < 8:
        return False
    words = [BECH32_LETTERS.index(letter) for letter in rest]
    version, size = words[0], (len(words) - 7) * 5 // 8
    if version == 0:
        return size in (20, 32) and bech32_checksum(human, words) == BECH32
    return version <= 16 and 2 <= size <= 40 and bech32_checksum(human, words) == BECH32M


def bech32_checksum(human: str, words: list[int]) -> int:
    """Compute the checksum over the prefix and the values of the letters behind the `1`."""
    value = 1
    for word in [*(ord(letter) >> 5 for letter in human), 0, *(ord(letter) & 31 for letter in human), *words]:
        top = value >> 25
        value = (value & 0x1FFFFFF) << 5 ^ word
        for bit, part in enumerate(GENERATOR):
            if top >> bit & 1:
                value ^= part
    return value


def _base58_version(text: str) -> int | None:
    """Return the version byte; None where the text is no such address."""
    if not 26 <= len(text) <= 35 or any(letter not in BASE58_LETTERS for letter in text):
        return None
    number = 0
    for letter in text:
        number = number * 58 + BASE58_LETTERS.index(letter)
    if number.bit_length() > BASE58_SIZE * 8:
        return None
    raw = number.to_bytes(BASE58_SIZE, "big")
    zeros = len(text) - len(text.lstrip("1"))
    if zeros != len(raw) - len(raw.lstrip(b"\0")):
        return None
    return raw[0] if hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:] else None
