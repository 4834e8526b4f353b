"""Check the destination that a buyer gives for a refund: money sent to a wrong one would be lost."""

from datetime import datetime, timedelta

from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from cryptons.coins import BITCOIN, CARD, COINS, LIGHTNING, Coin, CoreCoin
from payments.errors import NodeUnavailable
from payments.models import Option, Payout
from payments.networks.address_format import is_address
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.lightning.bolt11 import BadRequest, PaymentRequest, read_request
from payments.networks.payment_uri import split_destination
from payments.networks.registry import is_sandbox, offered_networks

LEAST_TIME = timedelta(minutes=10)
"""A Lightning invoice that expires sooner has expired before staff approve its payment."""


def can_be_refunded_over(network: str) -> bool:
    """Return whether a refund can be made over the network: Lightning and cards need it, every coin can also be sent by hand."""
    return network not in (LIGHTNING, CARD) or network in offered_networks()


class BadDestination(ValueError):
    """The destination cannot be used. The text is written for the person who gave it."""


def check_destination(network: str, text: str, amount_base: int, *, at: datetime) -> str:
    """Return the destination as it is stored. Raises BadDestination, and NodeUnavailable when the node must be asked and is away."""
    text = text.strip()
    if network == CARD:
        return text  # the payment that is refunded; payments.payouts.cover finds it
    if not text:
        raise BadDestination(_("Please enter an address."))
    if network == LIGHTNING:
        request = check_request(text, amount_base, at=at + LEAST_TIME)
        if Payout.objects.filter(network=network, reference=request.payment_hash).exists():
            raise BadDestination(_("This Lightning invoice was already used. Please create a new one."))
        return text.lower().removeprefix("lightning:")
    coin = COINS[network]
    address = _address_in(coin, text)
    if Option.objects.filter(network=network, destination=address).exists():
        raise BadDestination(_("This is an address of this shop. Please enter one of your own wallet."))
    if isinstance(coin, CoreCoin) and coin.mweb_prefixes and address.startswith(coin.mweb_prefixes):
        beginnings = get_text_list(list(coin.address_prefixes))
        raise BadDestination(
            _("This shop cannot send to MWEB addresses. Please enter one that begins with %(beginnings)s.") % {"beginnings": beginnings}
        )
    _check_on_chain(coin, address)
    return address


def _address_in(coin: Coin, text: str) -> str:
    """Return the address of a payment URI, or the text itself. Where capitals mean the same, as in QR codes, it is in small letters."""
    if not isinstance(coin, CoreCoin):
        return text
    address = text.partition(":")[2].partition("?")[0] if text.lower().startswith(f"{coin.uri_scheme}:") else text
    return address.lower() if address.lower().startswith(coin.bech32_prefixes) else address


def _check_on_chain(coin: Coin, address: str) -> None:
    if coin.shares_account:
        from xrpl.core.addresscodec import is_valid_classic_address

        account, tag = split_destination(address)
        if not is_valid_classic_address(account) or (tag and not (tag.isdigit() and int(tag) < 2**32)):
            raise BadDestination(_("This is not a valid XRP address. With a destination tag it looks like r…?dt=12345."))
        return
    if is_sandbox() and isinstance(coin, CoreCoin):
        if not is_address(coin, address):
            raise BadDestination(_("This is not a valid %(coin)s address: a letter may be wrong or missing.") % {"coin": coin.name})
        return
    if not isinstance(coin, CoreCoin) or not coin.host:
        raise NodeUnavailable(_("%(coin)s cannot be sent at the moment.") % {"coin": coin.name})
    if not chain_payouts.is_address(coin, address):
        raise BadDestination(
            _("This is not a valid %(coin)s address on %(chain)s: a letter may be wrong or missing.")
            % {"coin": coin.name, "chain": coin.network}
        )


def check_request(text: str, amount_base: int, *, at: datetime | None) -> PaymentRequest:
    """Read a BOLT11 invoice for this amount of millisatoshis, or for any amount, that expires after `at`. Raises BadDestination."""
    try:
        request = read_request(text)
    except BadRequest as error:
        raise BadDestination(str(error)) from error
    chain = "regtest" if is_sandbox() else BITCOIN.network
    if request.chain != chain:
        raise BadDestination(
            _("This Lightning invoice is for %(chain)s, but this shop uses %(ours)s.") % {"chain": request.chain, "ours": chain}
        )
    if request.amount_msat not in (None, amount_base):
        raise BadDestination(
            _("This Lightning invoice must be for exactly %(amount)s sat, or for any amount.") % {"amount": amount_base // 1000}
        )
    if at is not None and request.expires_at <= at:
        raise BadDestination(_("This Lightning invoice has expired or is about to. Please create one that is valid for some days."))
    if Option.objects.filter(network=LIGHTNING, destination=request.payment_hash).exists():
        raise BadDestination(_("This is an invoice of this shop. Please create one in your own wallet."))
    return request
