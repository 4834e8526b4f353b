"""The network's fee for a payout, which the shop pays on top: how much it may be, and how much it would be now."""

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.coins import CARD, LIGHTNING, configured_coin
from cryptons.formats import coins
from cryptons.money import UNITS, Base, fiat_to_base, limit_to_minor
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.lightning import payouts as lightning_payouts
from payments.networks.registry import is_sandbox


def fee_limit(amount_msat: int) -> int:
    """Return the highest fee over Lightning, in millisatoshis: PAYOUT_FEE_PERCENT of the amount, at least ten satoshis.

    LND takes 0 as no fee at all.
    """
    return max(10_000, int(amount_msat * settings.PAYOUT_FEE_PERCENT / 100))


def fee_limit_of(payout: Payout) -> Base:
    """Return the highest fee in base units: what a person allowed, else PAYOUT_FEE_PERCENT of the amount.

    It is at least PAYOUT_FEE_MINIMUM on a chain, where the fee does not depend on the amount, and ten satoshis over Lightning.
    """
    if payout.fee_allowed_base is not None:
        return Base(payout.fee_allowed_base)
    if payout.network == LIGHTNING:
        return Base(fee_limit(payout.amount_base))
    least = limit_to_minor(settings.PAYOUT_FEE_MINIMUM, payout.currency)
    in_coins = fiat_to_base(least, minor_per_coin=payout.minor_per_coin, network=payout.network)
    return Base(max(in_coins, int(payout.amount_base * settings.PAYOUT_FEE_PERCENT / 100)))


def fee_problem(payout: Payout, fee: int) -> str:
    """Say that a payout with this fee would not be sent; return an empty text if it would be."""
    limit = fee_limit_of(payout)
    if fee <= limit:
        return ""
    return _(
        "The network fee would be %(fee)s %(coin)s, but it may be at most %(limit)s. The payout waits until fees fall, or until somebody "
        "allows a higher fee."
    ) % {"fee": coins(fee, payout.network), "limit": coins(limit, payout.network), "coin": UNITS[payout.network].coin}


def no_route_problem(payout: Payout) -> str:
    """Say that LND found no route for the payout within its fee limit."""
    return _(
        "There is no route to the recipient for a fee of at most %(limit)s %(coin)s. The payout waits until there is one, or until "
        "somebody allows a higher fee."
    ) % {"limit": coins(fee_limit_of(payout), payout.network), "coin": UNITS[payout.network].coin}


def estimate_fee(payout: Payout) -> Base | None:
    """Ask the node what the payout would cost now; None while it has no destination, in the sandbox, and where no node sends it.

    Raises NodeUnavailable, NodeRejected.
    """
    if is_sandbox() or not payout.destination:
        return None
    if coin := configured_coin(payout.network):
        return chain_payouts.estimate_fee(coin, payout.destination, Base(payout.amount_base))
    return Base(lightning_payouts.estimate_fee(payout.destination, payout.amount_base)) if _is_over_our_lnd(payout) else None


def _is_over_our_lnd(payout: Payout) -> bool:
    return payout.network == LIGHTNING and bool(settings.LND_HOST)


def fee_words(payout: Payout) -> list[str]:
    """Say what a payout that is not sent yet costs about, what it may cost at most, and what follows from that."""
    if payout.network == CARD:
        return [_("none: Stripe takes nothing for a refund, and keeps the fee of the payment")]
    words = {"limit": coins(fee_limit_of(payout), payout.network), "coin": UNITS[payout.network].coin}
    if not (is_sandbox() or configured_coin(payout.network) or _is_over_our_lnd(payout)):
        return [_("set by the wallet from which you send it, because the shop has no node that sends %(coin)s") % words]
    try:
        fee = payout.fee_base if payout.psbt else estimate_fee(payout)
    except (NodeUnavailable, NodeRejected) as error:
        return [_("at most %(limit)s %(coin)s; it cannot be estimated now") % words, str(error)]
    if fee is None:
        return [_("at most %(limit)s %(coin)s") % words]
    about = _("about %(fee)s %(coin)s, at most %(limit)s %(coin)s") % {**words, "fee": coins(fee, payout.network)}
    return [about, fee_problem(payout, fee)]
