"""Say what an order would cost. Nothing is reserved or opened, and no node is asked."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cryptons.money import UNITS, Base, amount_due
from payments.errors import RateUnavailable
from payments.networks.registry import NetworkState, get_network, network_states
from payments.rates.current import CurrentRate, rate_for
from shop.cart.contents import CartContents, CartLine
from shop.checkout.placing import check_contents, too_small
from shop.pricing.totals import Totals


@dataclass(frozen=True)
class QuotedAmount:
    network: str
    problem: str
    """Why the network cannot be used now; empty while it can."""
    rate: CurrentRate | None = None
    due_base: Base | None = None

    @property
    def cryptocurrency(self) -> str:
        return UNITS[self.network].coin

    @property
    def sources(self) -> dict[str, str]:
        return self.rate.sources if self.rate else {}

    @property
    def quoted_at(self) -> datetime | None:
        return self.rate.quoted_at if self.rate else None


@dataclass(frozen=True)
class OrderQuote:
    lines: tuple[CartLine, ...]
    totals: Totals
    voucher_code: str
    amounts: tuple[QuotedAmount, ...]


def quote_order(contents: CartContents, coin: str = "", *, at: datetime) -> OrderQuote:
    """Return the total of these products, and what is due over each network, or over those of one coin, at the current rates.

    Raises what place_order raises of the products, and NetworkNotOffered of the coin.
    """
    check_contents(contents)
    if coin:
        get_network(coin)
    states = [state for state in network_states() if not coin or UNITS[state.code].coin == coin]
    amounts = tuple(map(partial(_amount, contents.total_minor, at), states))
    return OrderQuote(contents.lines, contents.totals, contents.voucher_code, amounts)


def _amount(total_minor: int, at: datetime, state: NetworkState) -> QuotedAmount:
    try:
        rate = rate_for(state.code, at=at)
    except RateUnavailable as error:
        return QuotedAmount(state.code, state.problem or str(error))
    due = amount_due(total_minor, minor_per_coin=rate.minor_per_coin, network=state.code)
    problem = state.problem or ("" if due > UNITS[state.code].dust_base else too_small(state.code))
    return QuotedAmount(state.code, problem, rate, due)
