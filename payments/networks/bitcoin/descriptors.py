"""Read output descriptors and bare extended keys, which a coin's setting such as BITCOIN_DESCRIPTOR may hold. Pure; asks no node.

Sources: BIP 32 (extended keys), BIP 380-386 (descriptors), SLIP-132 (the version bytes that name a script type; Litecoin's wallets write
those of Bitcoin or their own).
"""

import re

from bitcoin.base58 import Base58Error, InvalidBase58Error, decode, encode
from bitcoin.core import Hash
from django.utils.translation import gettext as _

from cryptons.coins import CoreCoin, core_coins

EXTENDED_KEYS = {prefix: kind for coin in core_coins() for prefix, kind in coin.key_prefixes.items()}
MAIN_VERSION, TEST_VERSION = bytes.fromhex("0488B21E"), bytes.fromhex("043587CF")
"""BIP 32's own, which is all that nodes read, Litecoin's too."""

_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
_PRIVATE = re.compile(rf"\b(?:[A-Za-z]prv|[A-Za-z]{{2}}pv){_BASE58}{{20,}}|(?<!{_BASE58}){_BASE58}{{51,52}}(?!{_BASE58})")
"""An extended private key of any coin, or one key in the wallet import format."""
_BARE = re.compile(rf"(?:{'|'.join(EXTENDED_KEYS)}){_BASE58}{{20,}}")
_KEY = re.compile(rf"\b({'|'.join(EXTENDED_KEYS)}){_BASE58}{{20,}}")
_ONE_KEY = re.compile(r"(?:pkh|wpkh|sh\(wpkh)\([^()]*\)+(?:#.*)?")


class DescriptorError(ValueError):
    """The descriptor cannot be used. The text is a sentence for the person who set it."""


def has_private_keys(coin: CoreCoin) -> str:
    text = _("%(setting)s holds private keys. Give the public descriptor: the shop must not be able to spend.")
    return text % {"setting": coin.setting("DESCRIPTOR")}


def not_ranged(coin: CoreCoin) -> str:
    text = _("%(setting)s must be ranged (with /*), so that each order gets an address of its own.")
    return text % {"setting": coin.setting("DESCRIPTOR")}


def normalised(text: str, network: str, coin: CoreCoin) -> str:
    """Return a descriptor that the node can read, made from a descriptor or a bare extended public key. Raises DescriptorError."""
    text, name = text.strip(), coin.setting("DESCRIPTOR")
    if _PRIVATE.search(text):
        raise DescriptorError(has_private_keys(coin))
    keys = _KEY.findall(text)
    if not keys or any(prefix not in coin.key_prefixes for prefix in keys):
        *most, last = coin.key_prefixes
        raise DescriptorError(
            _("%(setting)s must be a public ranged descriptor such as wpkh([…]xpub…/0/*), or an %(kinds)s or %(last_kind)s.")
            % {"setting": name, "kinds": ", ".join(most), "last_kind": last}
        )
    for prefix in keys:
        is_main = coin.key_prefixes[prefix].is_main
        if is_main != (network == "mainnet"):
            family = "mainnet" if is_main else _("test networks")
            raise DescriptorError(
                _("%(setting)s holds a key of %(family)s (%(prefix)s…), but %(network_setting)s is %(network)r.")
                % {"setting": name, "family": family, "prefix": prefix, "network_setting": coin.setting("NETWORK"), "network": network}
            )
    if _BARE.fullmatch(text):
        return coin.key_prefixes[keys[0]].script.format(key=_plain_key(text, coin))
    if any(prefix not in ("xpub", "tpub") for prefix in keys):
        raise DescriptorError(
            _("Inside %(setting)s's descriptor keys begin with xpub or tpub; a key with another beginning stands alone.")
            % {"setting": name}
        )
    if "/*" not in text:
        raise DescriptorError(not_ranged(coin))
    if not coin.has_descriptor_wallets and not _ONE_KEY.fullmatch(text):
        raise DescriptorError(
            _("%(setting)s must be pkh(…), wpkh(…) or sh(wpkh(…)): %(node)s gives addresses of no other kind.")
            % {"setting": name, "node": coin.node}
        )
    return text


def address_type(text: str) -> str:
    """Return the address type of this descriptor or key, as `getnewaddress` names it."""
    text = text.strip()
    wrapped = EXTENDED_KEYS[text[:4]].script if text[:4] in EXTENDED_KEYS else text
    if wrapped.startswith("tr("):
        return "bech32m"
    if wrapped.startswith(("wpkh(", "wsh(")):
        return "bech32"
    if wrapped.startswith(("sh(wpkh(", "sh(wsh(")):
        return "p2sh-segwit"
    return "legacy"


def _plain_key(key: str, coin: CoreCoin) -> str:
    """Return the key with BIP 32's own version bytes. Raises DescriptorError."""
    try:
        raw = decode(key)
    except (Base58Error, InvalidBase58Error) as error:
        raise DescriptorError(
            _("%(setting)s is not a whole extended key: a letter is wrong.") % {"setting": coin.setting("DESCRIPTOR")}
        ) from error
    body, checksum = raw[:-4], raw[-4:]
    if len(body) != 78 or Hash(body)[:4] != checksum:
        raise DescriptorError(
            _("%(setting)s is not a whole extended key: a letter is wrong or missing.") % {"setting": coin.setting("DESCRIPTOR")}
        )
    body = (MAIN_VERSION if coin.key_prefixes[key[:4]].is_main else TEST_VERSION) + body[4:]
    return str(encode(body + Hash(body)[:4]))
