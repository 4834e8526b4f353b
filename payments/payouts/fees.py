"""The network's fee for a payout, which the shop pays on top: how much it may be, and how much it would be now."""

from django.conf import settings
from django.utils.translation import gettext as _

from cryptons.coins import LIGHTNING, configured_coin
from cryptons.formats import coins
from cryptons.money import UNITS, Base, fiat_to_base, limit_to_minor
from payments.errors import NodeRejected, NodeUnavailable
from payments.models import Payout
from payments.networks.bitcoin import payouts as chain_payouts
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


def estimate_fee(payout: Payout) -> Base | None:
    """Ask the node what the payout would cost now; None where that is not known before: over Lightning, and for what is sent by hand.

    Raises NodeUnavailable, NodeRejected.
    """
    coin = None if is_sandbox() else configured_coin(payout.network)
    if coin is None or not payout.destination:
        return None
    return chain_payouts.estimate_fee(coin, payout.destination, Base(payout.amount_base))


def fee_words(payout: Payout) -> list[str]:
    """Say what a payout that is not sent yet costs about, what it may cost at most, and what follows from that."""
    words = {"limit": coins(fee_limit_of(payout), payout.network), "coin": UNITS[payout.network].coin}
    try:
        fee = payout.fee_base if payout.psbt else estimate_fee(payout)
    except (NodeUnavailable, NodeRejected) as error:
        return [_("at most %(limit)s %(coin)s; it cannot be estimated now") % words, str(error)]
    if fee is None:
        return [_("at most %(limit)s %(coin)s") % words]
    about = _("about %(fee)s %(coin)s, at most %(limit)s %(coin)s") % {**words, "fee": coins(fee, payout.network)}
    return [about, fee_problem(payout, fee)]
