"""Where a buyer wants money sent to: read, and refused with a sentence when money sent there would be lost."""

from datetime import datetime, timedelta

from django.conf import settings

from cryptons.money import UNITS
from payments.errors import NodeUnavailable
from payments.models import Option, Payout
from payments.networks.bitcoin import payouts as chain_payouts
from payments.networks.bitcoin.coins import COINS
from payments.networks.lightning.bolt11 import BadRequest, PaymentRequest, read_request
from payments.networks.payment_uri import split_destination
from payments.networks.registry import is_sandbox

LEAST_TIME = timedelta(minutes=10)
"""An invoice that ends sooner is over before somebody agreed to pay it."""


BECH32 = ("bc1", "tb1", "bcrt1", "ltc1", "tltc1", "rltc1", "ltcmweb1", "tmweb1")
"""Addresses that mean the same in capitals, as codes to scan have them; stored in small letters."""
MWEB = ("ltcmweb1", "tmweb1")


class BadDestination(ValueError):
    """The text is written for the person who gave it."""


def check_destination(network: str, text: str, amount_base: int, *, at: datetime) -> str:
    """As it is stored. Raises BadDestination, and NodeUnavailable where only the node can tell."""
    text = text.strip()
    if not text:
        raise BadDestination("Please say where the money shall go to.")
    if network == "BTC-LN":
        request = check_request(text, amount_base, at=at + LEAST_TIME)
        if Payout.objects.filter(network=network, reference=request.payment_hash).exists():
            raise BadDestination("This Lightning invoice was used already. Please make a new one.")
        return text.lower().removeprefix("lightning:")
    address = text.partition(":")[2].partition("?")[0] if text.lower().startswith(("bitcoin:", "litecoin:")) else text
    if address.lower().startswith(BECH32):
        address = address.lower()
    if Option.objects.filter(network=network, destination=address).exists():
        raise BadDestination("This is an address of the shop itself. Please give one of your own wallet.")
    if network == "LTC" and address.startswith(MWEB):
        raise BadDestination("The shop cannot send to MWEB addresses. Please give one that begins with ltc1, L or M.")
    if not is_sandbox():
        _check_on_chain(network, address)
    elif len(address) < 8 or not split_destination(address)[0].isalnum():
        raise BadDestination(f"This is not an address of {UNITS[network].name}.")
    return address


def _check_on_chain(network: str, address: str) -> None:
    if network == "XRP":
        from xrpl.core.addresscodec import is_valid_classic_address

        account, tag = split_destination(address)
        if not is_valid_classic_address(account) or (tag and not (tag.isdigit() and int(tag) < 2**32)):
            raise BadDestination("This is not an XRP address. With a destination tag it looks like r…?dt=12345.")
        return
    coin = next((coin for coin in COINS if coin.code == network and coin.host), None)
    if coin is None:
        raise NodeUnavailable(f"{UNITS[network].name} cannot be sent here at the moment.")
    if not chain_payouts.is_address(coin, address):
        raise BadDestination(f"This is not an address of {coin.name} on {coin.network}: a letter may be wrong or missing.")


def check_request(text: str, amount_base: int, *, at: datetime | None) -> PaymentRequest:
    """A BOLT11 request for this amount of millisatoshis (or for any), good until after `at`. Raises BadDestination."""
    try:
        request = read_request(text)
    except BadRequest as error:
        raise BadDestination(str(error)) from error
    chain = "regtest" if is_sandbox() else settings.BITCOIN_NETWORK
    if request.chain != chain:
        raise BadDestination(f"This Lightning invoice is for {request.chain}, but the shop is on {chain}.")
    if request.amount_msat not in (None, amount_base):
        raise BadDestination(f"This Lightning invoice must ask for exactly {amount_base // 1000} sat, or leave the amount open.")
    if at is not None and request.expires_at <= at:
        raise BadDestination("This Lightning invoice is over, or will be in a moment. Please make one that is good for some days.")
    if Option.objects.filter(network="BTC-LN", destination=request.payment_hash).exists():
        raise BadDestination("This is an invoice of the shop itself. Please make one in your own wallet.")
    return request
