"""The coins that a shop can take. To add one, write one entry here and put its icon into static/img.

Everything else iterates this table: settings, units of money, adapters, rates, hints, checks, payment URIs, payout destinations, the
sandbox and the API. A coin whose node speaks Bitcoin Core's dialect needs no other code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.translation import gettext as _


@dataclass(frozen=True)
class Unit:
    """The unit of a network's amounts: `10 ** digits` base units are one coin."""

    network: str
    coin: str
    english_name: str
    base_name: str
    digits: int
    dust_base: int
    """Amounts up to this are not worth a payment of their own."""

    @property
    def name(self) -> str:
        """In the active language; the names of coins are the same in all."""
        return _("Card") if self.network == CARD else self.english_name

    @property
    def symbol(self) -> str:
        """What people read behind an amount: cards pay in the shop's currency."""
        return str(settings.CURRENCY) if self.network == CARD else self.coin

    @property
    def base_per_coin(self) -> int:
        return int(10**self.digits)


@dataclass(frozen=True, kw_only=True)
class Coin:
    code: str
    """Of the coin and of its own network, as exchanges write it."""
    name: str
    base_name: str
    digits: int = 8
    dust_base: int
    uri_scheme: str
    """What a payment URI begins with, without the colon."""
    sandbox_price: str
    """The price of one coin in the sandbox, in the shop's currency."""
    rate_ids: Mapping[str, str] = field(default_factory=dict)
    """What a source of rates calls the coin, by the source's name, where it is not the code."""
    layers: tuple[Unit, ...] = ()
    """Other networks that carry the coin."""
    shares_account: bool = False
    """All buyers pay to one account, and a destination tag tells them apart."""
    prefix: str
    """Of its settings: `BITCOIN` reads BITCOIN_RPC_HOST and its like."""

    def setting(self, setting: str) -> str:
        return f"{self.prefix}_{setting}"

    @property
    def node_setting(self) -> str:
        """The setting that names a node; while it is empty, the shop does not take the coin."""
        return self.setting("URL")

    @property
    def units(self) -> tuple[Unit, ...]:
        return (Unit(self.code, self.code, self.name, self.base_name, self.digits, self.dust_base), *self.layers)

    @property
    def icon(self) -> str:
        """The path of its picture in the static files."""
        return f"img/{self.code.lower()}.svg"

    def rate_id(self, source: str) -> str:
        return self.rate_ids.get(source, self.code)


@dataclass(frozen=True)
class Chain:
    node_name: str
    """What the node calls this chain in `getblockchaininfo`."""
    rpc_port: int
    bech32_prefix: str = ""
    """What its segwit addresses begin with, before the `1`; empty where it has none."""


@dataclass(frozen=True)
class KeyKind:
    """The meaning of an extended public key's prefix (SLIP-132)."""

    is_main: bool
    script: str
    """The descriptor around the key."""


CARD = "CARD"
"""The network of payments by card. It carries no coin: its money is the shop's currency, in cents."""
CARD_UNIT = Unit(CARD, CARD, "Card", "cent", 2, 49)
"""A processor charges no less than half a unit of most currencies."""

LEGACY, WRAPPED, SEGWIT = "pkh({key}/0/*)", "sh(wpkh({key}/0/*))", "wpkh({key}/0/*)"
BITCOIN_KEYS = {
    "xpub": KeyKind(True, LEGACY),
    "ypub": KeyKind(True, WRAPPED),
    "zpub": KeyKind(True, SEGWIT),
    "tpub": KeyKind(False, LEGACY),
    "upub": KeyKind(False, WRAPPED),
    "vpub": KeyKind(False, SEGWIT),
}


@dataclass(frozen=True, kw_only=True)
class CoreCoin(Coin):
    """A coin whose node speaks Bitcoin Core's dialect. Its settings are read by `cryptons.settings`, each with the coin's prefix."""

    chains: Mapping[str, Chain]
    """The chains that the setting NETWORK may name; the first is the default."""
    address_prefixes: tuple[str, ...] = ()
    """What an address begins with, to tell the buyer who gave another kind."""
    base58_versions: tuple[int, ...] = ()
    """The version bytes of its older addresses, on all of its chains."""
    mweb_prefixes: tuple[str, ...] = ()
    """What an address in an extension block (MWEB) begins with. The shop cannot send there."""
    key_prefixes: Mapping[str, KeyKind] = field(default_factory=lambda: BITCOIN_KEYS)
    """The extended public keys that the setting DESCRIPTOR may hold."""
    has_descriptor_wallets: bool = True
    """Whether its node keeps descriptors in a wallet; otherwise it keeps a pool of keys, all of one kind."""

    @property
    def node_setting(self) -> str:
        return self.setting("RPC_HOST")

    @property
    def node(self) -> str:
        """The start of a sentence about its node, in the active language."""
        return _("The %(coin)s node") % {"coin": self.name}

    def _text(self, setting: str) -> str:
        return str(getattr(settings, self.setting(setting)))

    @property
    def host(self) -> str:
        """Empty where the shop does not take this coin."""
        return self._text("RPC_HOST")

    @property
    def port(self) -> int:
        return int(self._text("RPC_PORT"))

    @property
    def user(self) -> str:
        return self._text("RPC_USER")

    @property
    def password(self) -> str:
        return self._text("RPC_PASS")

    @property
    def network(self) -> str:
        """The chain that the node must be on, as a key of `chains`."""
        return self._text("NETWORK")

    @property
    def chain(self) -> Chain:
        return self.chains[self.network]

    @property
    def wallet(self) -> str:
        return self._text("WALLET")

    @property
    def payout_wallet(self) -> str:
        """A wallet with keys, for payouts; empty where staff sign them."""
        return self._text("PAYOUT_WALLET")

    @property
    def descriptor(self) -> str:
        return self._text("DESCRIPTOR")

    @property
    def zmq(self) -> list[str]:
        """The ZeroMQ addresses at which its node publishes transactions and blocks."""
        return list(getattr(settings, self.setting("ZMQ")))

    @property
    def bech32_prefixes(self) -> tuple[str, ...]:
        """Addresses that begin like this mean the same in capitals, as QR codes have them."""
        prefixes = [f"{chain.bech32_prefix}1" for chain in self.chains.values() if chain.bech32_prefix]
        return (*prefixes, *self.mweb_prefixes)


LIGHTNING = "BTC-LN"
"""The network that carries Bitcoin in addition to its chain."""

BITCOIN = CoreCoin(
    code="BTC",
    name="Bitcoin",
    base_name="sat",
    dust_base=546,
    uri_scheme="bitcoin",
    sandbox_price="65000.00",
    rate_ids={"kraken": "XBT", "coingecko": "bitcoin"},
    layers=(Unit(LIGHTNING, "BTC", "Bitcoin Lightning", "msat", 11, 1_000),),
    prefix="BITCOIN",
    chains={
        "mainnet": Chain("main", 8332, "bc"),
        "testnet4": Chain("testnet4", 48332, "tb"),
        "signet": Chain("signet", 38332, "tb"),
        "regtest": Chain("regtest", 18443, "bcrt"),
    },
    address_prefixes=("bc1", "1", "3"),
    base58_versions=(0, 5, 111, 196),
)
LITECOIN = CoreCoin(
    code="LTC",
    name="Litecoin",
    base_name="litoshi",
    dust_base=5_460,
    uri_scheme="litecoin",
    sandbox_price="80.00",
    rate_ids={"coingecko": "litecoin"},
    prefix="LITECOIN",
    chains={
        "mainnet": Chain("main", 9332, "ltc"),
        "testnet": Chain("test", 19332, "tltc"),
        "regtest": Chain("regtest", 19443, "rltc"),
    },
    address_prefixes=("ltc1", "L", "M"),
    base58_versions=(48, 50, 5, 111, 58, 196),
    mweb_prefixes=("ltcmweb1", "tmweb1"),
    key_prefixes={**BITCOIN_KEYS, "Ltub": KeyKind(True, LEGACY), "Mtub": KeyKind(True, WRAPPED), "ttub": KeyKind(False, LEGACY)},
    has_descriptor_wallets=False,
)
XRP = Coin(
    code="XRP",
    name="XRP",
    base_name="drop",
    digits=6,
    dust_base=10,
    uri_scheme="xrpl",
    sandbox_price="0.55",
    rate_ids={"coingecko": "ripple"},
    shares_account=True,
    prefix="XRP",
)

COINS: dict[str, Coin] = {coin.code: coin for coin in (BITCOIN, LITECOIN, XRP)}


def paid_with() -> list[str]:
    """Return what an order can be paid with: a coin, or a card."""
    return [*COINS, CARD]


def core_coins() -> list[CoreCoin]:
    return [coin for coin in COINS.values() if isinstance(coin, CoreCoin)]


def configured_coin(network: str) -> CoreCoin | None:
    """Return the coin whose own chain this network is, if its node speaks Core's dialect and is configured."""
    coin = COINS.get(network)
    return coin if isinstance(coin, CoreCoin) and coin.host else None


def node_settings() -> list[str]:
    """Return the names of the settings that configure a node with real money."""
    return [*(coin.node_setting for coin in COINS.values()), "LND_HOST"]
