"""List the networks that the shop takes, with the adapter of each."""

from dataclasses import dataclass
from operator import attrgetter

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.coins import BITCOIN, CARD, COINS, LIGHTNING, XRP, core_coins, node_settings
from cryptons.money import UNITS
from payments.errors import NetworkNotOffered, NetworkWithoutNode
from payments.models import Cursor, Invoice
from payments.networks.base import ClosingNetwork, Network
from payments.networks.bitcoin.network import BitcoinNetwork
from payments.networks.lightning.network import LightningNetwork
from payments.networks.sandbox.network import SandboxNetwork
from payments.networks.stripe.keys import counts_currency, takes_play_money, takes_real_money
from payments.networks.stripe.network import CardNetwork

NODE_SETTINGS = tuple(node_settings())
_read_nodes = attrgetter(*NODE_SETTINGS)


@dataclass(frozen=True)
class NetworkState:
    code: str
    name: str
    problem: str
    """A sentence for the buyer that says why it cannot be used now; empty while it can."""


def _real_networks() -> dict[str, Network]:
    """Return the networks whose node is configured, in the order of the table of coins."""
    real: dict[str, Network] = {coin.code: BitcoinNetwork(coin) for coin in core_coins() if coin.host}
    if settings.LND_HOST:
        real[LIGHTNING] = LightningNetwork()
    if settings.XRP_URL:
        from payments.networks.xrp.network import XrpNetwork  # xrpl-py takes a third of a second to load: only where it is used

        real[XRP.code] = XrpNetwork()
    return {code: real[code] for code in UNITS if code in real}


def is_sandbox() -> bool:
    """Return whether the sandbox's networks serve: only if SANDBOX allows it, and no real node and no live key of Stripe is configured."""
    return bool(settings.SANDBOX) and not any(_read_nodes(settings)) and not takes_real_money()


def _cards() -> dict[str, Network]:
    """Return the network of cards where its key fits the shop: a test key's money is play money, so only the sandbox takes it."""
    fits = takes_play_money() if is_sandbox() else takes_real_money()
    return {CARD: CardNetwork()} if fits and counts_currency() else {}


def is_play_money(invoice: Invoice) -> bool:
    """Return whether the invoice is one of the sandbox in a shop that takes real money: nothing may be shipped or refunded for it."""
    return invoice.is_sandbox and not is_sandbox()


def networks() -> dict[str, Network]:
    if is_sandbox():
        return {coin.code: SandboxNetwork(coin) for coin in COINS.values()} | _cards()
    return _real_networks() | _cards()


def closing_network(code: str) -> ClosingNetwork | None:
    """Return the adapter of a network whose destinations can be closed; None where the shop does not take it."""
    network = networks().get(code)
    return network if isinstance(network, LightningNetwork | CardNetwork) else None


def offered_networks() -> tuple[str, ...]:
    return tuple(networks())


def get_network(code: str) -> Network:
    """Return the adapter of the network. Raises NetworkNotOffered."""
    offered = networks()
    if code not in offered:
        kind = NetworkNotOffered if is_sandbox() or code == CARD else NetworkWithoutNode
        raise kind(UNITS[code].name if code in UNITS else code, [UNITS[other].name for other in offered])
    return offered[code]


def failing_networks() -> set[str]:
    """Return the networks whose follower got no answer at its last turn. Asks no node."""
    return set(Cursor.objects.filter(failing_since__isnull=False).values_list("network", flat=True))


def network_states() -> list[NetworkState]:
    """Return the networks that a buyer can choose, with their state at the last turn of their followers. Asks no node.

    Lightning comes with Bitcoin's chain, in one QR code. It is a choice of its own only where the chain is not offered or not reachable.
    """
    failing = failing_networks()
    unreachable = _("%(network)s cannot be reached right now. Please choose another way to pay.")
    offered = [code for code in networks() if code != LIGHTNING or BITCOIN.code not in networks() or BITCOIN.code in failing]
    return [
        NetworkState(
            code,
            UNITS[code].name,
            unreachable % {"network": UNITS[code].name} if code in failing else "",
        )
        for code in offered
    ]
