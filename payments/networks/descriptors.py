"""Output descriptors and bare extended keys: what BITCOIN_DESCRIPTOR may hold. Pure; asks no node.

Sources: BIP 32 (extended keys), BIP 380-386 (descriptors), SLIP-132 (the version bytes that name a script type).
"""

import re

from bitcoin.base58 import Base58Error, InvalidBase58Error, decode, encode
from bitcoin.core import Hash

MAIN, TEST = "mainnet", "test networks"

# Prefix: (network family, descriptor around the key).
EXTENDED_KEYS = {
    "xpub": (MAIN, "pkh({key}/0/*)"),
    "ypub": (MAIN, "sh(wpkh({key}/0/*))"),
    "zpub": (MAIN, "wpkh({key}/0/*)"),
    "tpub": (TEST, "pkh({key}/0/*)"),
    "upub": (TEST, "sh(wpkh({key}/0/*))"),
    "vpub": (TEST, "wpkh({key}/0/*)"),
}
VERSION = {MAIN: bytes.fromhex("0488B21E"), TEST: bytes.fromhex("043587CF")}

_PRIVATE = re.compile(
    r"\b[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{20,}|(?<![1-9A-HJ-NP-Za-km-z])[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}(?![1-9A-HJ-NP-Za-km-z])"
)
_BARE = re.compile(r"[xyztuv]pub[1-9A-HJ-NP-Za-km-z]{20,}")
_KEY = re.compile(r"\b([xyztuv]pub)[1-9A-HJ-NP-Za-km-z]{20,}")


HAS_PRIVATE_KEYS = "BITCOIN_DESCRIPTOR holds private keys. Give the public descriptor: the shop must not be able to spend."
NOT_RANGED = "BITCOIN_DESCRIPTOR must be ranged (with /*), so that each order gets an address of its own."


class DescriptorError(ValueError):
    """The text is a sentence for the person who set it."""


def normalised(text: str, network: str) -> str:
    """A descriptor as the node reads it, made from a descriptor or a bare extended public key. Raises DescriptorError."""
    text = text.strip()
    if _PRIVATE.search(text):
        raise DescriptorError(HAS_PRIVATE_KEYS)
    family = MAIN if network == "mainnet" else TEST
    keys = _KEY.findall(text)
    if not keys:
        raise DescriptorError(
            "BITCOIN_DESCRIPTOR must be a public ranged descriptor such as wpkh([…]xpub…/0/*), or an xpub, ypub, zpub, tpub or vpub."
        )
    for prefix in keys:
        if EXTENDED_KEYS[prefix][0] != family:
            raise DescriptorError(
                f"BITCOIN_DESCRIPTOR holds a key of {EXTENDED_KEYS[prefix][0]} ({prefix}…), but BITCOIN_NETWORK is {network!r}."
            )
    if _BARE.fullmatch(text):
        return EXTENDED_KEYS[keys[0]][1].format(key=_plain_key(text))
    if any(prefix not in ("xpub", "tpub") for prefix in keys):
        raise DescriptorError("Inside a descriptor keys begin with xpub or tpub; a ypub, zpub or vpub stands alone.")
    if "/*" not in text:
        raise DescriptorError(NOT_RANGED)
    return text


def address_type(text: str) -> str:
    """What `getnewaddress` calls the addresses of this descriptor or key."""
    wrapped = EXTENDED_KEYS[text[:4]][1] if text[:4] in EXTENDED_KEYS else text.strip()
    if wrapped.startswith("tr("):
        return "bech32m"
    if wrapped.startswith(("wpkh(", "wsh(")):
        return "bech32"
    if wrapped.startswith(("sh(wpkh(", "sh(wsh(")):
        return "p2sh-segwit"
    return "legacy"


def _plain_key(key: str) -> str:
    """The same key with BIP 32's own version bytes, which is all that nodes read."""
    try:
        raw = decode(key)
    except (Base58Error, InvalidBase58Error) as error:
        raise DescriptorError("BITCOIN_DESCRIPTOR is not a whole extended key: a letter is wrong.") from error
    body, checksum = raw[:-4], raw[-4:]
    if len(body) != 78 or Hash(body)[:4] != checksum:
        raise DescriptorError("BITCOIN_DESCRIPTOR is not a whole extended key: a letter is wrong or missing.")
    body = VERSION[EXTENDED_KEYS[key[:4]][0]] + body[4:]
    return str(encode(body + Hash(body)[:4]))
