"""The networks that a buyer can choose from, each with the approximate amount, or why it cannot be used now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cryptons.coins import COINS
from cryptons.money import UNITS, indicative_coin_price
from payments.networks.registry import NetworkState, network_states
from payments.rates.current import current_rates


@dataclass(frozen=True)
class Way:
    state: NetworkState
    about: str
    """The amount in coins; empty without a rate."""

    @property
    def coin(self) -> str:
        return UNITS[self.state.code].coin

    @property
    def icon(self) -> str:
        """The path of its picture in the static files."""
        return COINS[self.coin].icon if self.coin in COINS else "img/card.svg"


def ways_to_pay(price_minor: int, *, failed: Mapping[str, str] | None = None) -> list[Way]:
    """List the networks with the approximate amounts. `failed`: new errors of networks in this request, by code."""
    states = (replace(state, problem=(failed or {}).get(state.code) or state.problem) for state in network_states())
    return [Way(state, _about(price_minor, state.code)) for state in states]


def usable(ways: list[Way], preferred: str) -> str:
    """Return the preferred network if it can be used, else the first that can; empty if there is none."""
    codes = [way.state.code for way in ways if not way.state.problem]
    return preferred if preferred in codes else next(iter(codes), "")


def _about(price_minor: int, network: str) -> str:
    rate = current_rates().get(UNITS[network].coin)
    return indicative_coin_price(price_minor, minor_per_coin=rate.minor_per_coin, network=network) if rate else ""
