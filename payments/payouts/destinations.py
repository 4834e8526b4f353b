"""Where a buyer wants money sent to: read, and refused with a sentence when money sent there would be lost."""

from datetime import datetime, timedelta

from django.utils.text import get_text_list

from cryptons.coins import BITCOIN, COINS, LIGHTNING, Coin, CoreCoin
from payments.errors import NodeUnavailable
from payments.models import Option, Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.lightning.bolt11 import BadRequest, PaymentRequest, read_request
from payments.networks.payment_uri import split_destination
from payments.networks.registry import is_sandbox

LEAST_TIME = timedelta(minutes=10)
"""An invoice that ends sooner is over before somebody agreed to pay it."""


class BadDestination(ValueError):
    """The text is written for the person who gave it."""


def check_destination(network: str, text: str, amount_base: int, *, at: datetime) -> str:
    """As it is stored. Raises BadDestination, and NodeUnavailable where only the node can tell."""
    text = text.strip()
    if not text:
        raise BadDestination("Please say where the money shall go to.")
    if network == LIGHTNING:
        request = check_request(text, amount_base, at=at + LEAST_TIME)
        if Payout.objects.filter(network=network, reference=request.payment_hash).exists():
            raise BadDestination("This Lightning invoice was used already. Please make a new one.")
        return text.lower().removeprefix("lightning:")
    coin = COINS[network]
    address = _address_in(coin, text)
    if Option.objects.filter(network=network, destination=address).exists():
        raise BadDestination("This is an address of the shop itself. Please give one of your own wallet.")
    if isinstance(coin, CoreCoin) and coin.mweb_prefixes and address.startswith(coin.mweb_prefixes):
        beginnings = get_text_list(list(coin.address_prefixes), "or")
        raise BadDestination(f"The shop cannot send to MWEB addresses. Please give one that begins with {beginnings}.")
    if not is_sandbox():
        _check_on_chain(coin, address)
    elif len(address) < 8 or not split_destination(address)[0].isalnum():
        raise BadDestination(f"This is not an address of {coin.name}.")
    return address


def _address_in(coin: Coin, text: str) -> str:
    """The address of a payment URI, or the text itself; in small letters where capitals mean the same, as codes to scan have them."""
    if not isinstance(coin, CoreCoin):
        return text
    address = text.partition(":")[2].partition("?")[0] if text.lower().startswith(f"{coin.uri_scheme}:") else text
    return address.lower() if address.lower().startswith(coin.bech32_prefixes) else address


def _check_on_chain(coin: Coin, address: str) -> None:
    if coin.shares_account:
        from xrpl.core.addresscodec import is_valid_classic_address

        account, tag = split_destination(address)
        if not is_valid_classic_address(account) or (tag and not (tag.isdigit() and int(tag) < 2**32)):
            raise BadDestination("This is not an XRP address. With a destination tag it looks like r…?dt=12345.")
        return
    if not isinstance(coin, CoreCoin) or not coin.host:
        raise NodeUnavailable(f"{coin.name} cannot be sent here at the moment.")
    if not chain_payouts.is_address(coin, address):
        raise BadDestination(f"This is not an address of {coin.name} on {coin.network}: a letter may be wrong or missing.")


def check_request(text: str, amount_base: int, *, at: datetime | None) -> PaymentRequest:
    """A BOLT11 request for this amount of millisatoshis (or for any), good until after `at`. Raises BadDestination."""
    try:
        request = read_request(text)
    except BadRequest as error:
        raise BadDestination(str(error)) from error
    chain = "regtest" if is_sandbox() else BITCOIN.network
    if request.chain != chain:
        raise BadDestination(f"This Lightning invoice is for {request.chain}, but the shop is on {chain}.")
    if request.amount_msat not in (None, amount_base):
        raise BadDestination(f"This Lightning invoice must ask for exactly {amount_base // 1000} sat, or leave the amount open.")
    if at is not None and request.expires_at <= at:
        raise BadDestination("This Lightning invoice is over, or will be in a moment. Please make one that is good for some days.")
    if Option.objects.filter(network=LIGHTNING, destination=request.payment_hash).exists():
        raise BadDestination("This is an invoice of the shop itself. Please make one in your own wallet.")
    return request
