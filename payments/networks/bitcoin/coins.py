"""What differs between the coins whose nodes speak Bitcoin Core's dialect: their names, settings, chains, keys and wallets."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Coin:
    code: str
    """The network's code in the shop; amounts are counted in its base unit."""
    name: str
    prefix: str
    """Of its settings: `BITCOIN` reads BITCOIN_RPC_HOST and its like."""
    chains: Mapping[str, str]
    """What its node calls each chain that the setting NETWORK may name."""
    key_prefixes: tuple[str, ...]
    """The extended public keys that the setting DESCRIPTOR may hold."""
    has_descriptor_wallets: bool
    """Whether its node keeps descriptors in a wallet; else it keeps a pool of keys, all of one kind."""

    @property
    def node(self) -> str:
        """The start of a sentence about its node."""
        return f"The {self.name} node"

    def names(self, setting: str) -> str:
        return f"{self.prefix}_{setting}"

    def _text(self, setting: str) -> str:
        return str(getattr(settings, self.names(setting)))

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
    def wallet(self) -> str:
        return self._text("WALLET")

    @property
    def payout_wallet(self) -> str:
        """A wallet with keys, for payouts; empty where staff sign them."""
        return self._text("PAYOUT_WALLET")

    @property
    def descriptor(self) -> str:
        return self._text("DESCRIPTOR")


BITCOIN = Coin(
    code="BTC",
    name="Bitcoin",
    prefix="BITCOIN",
    chains={"mainnet": "main", "testnet4": "testnet4", "signet": "signet", "regtest": "regtest"},
    key_prefixes=("xpub", "ypub", "zpub", "tpub", "upub", "vpub"),
    has_descriptor_wallets=True,
)
LITECOIN = Coin(
    code="LTC",
    name="Litecoin",
    prefix="LITECOIN",
    chains={"mainnet": "main", "testnet": "test", "regtest": "regtest"},
    key_prefixes=("xpub", "ypub", "zpub", "Ltub", "Mtub", "tpub", "upub", "vpub", "ttub"),
    has_descriptor_wallets=False,
)
COINS = (BITCOIN, LITECOIN)
