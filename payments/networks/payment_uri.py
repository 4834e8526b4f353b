"""Make the payment URI that a wallet reads from a QR code.

Sources: BIP 21 (`bitcoin:`, with a BOLT11 invoice as `lightning=`), the same form for `litecoin:`, BOLT 11 (`lightning:`); XRP wallets
take `xrpl://` with a destination tag `dt`, and no label.
"""

from urllib.parse import quote

from cryptons.coins import COINS, LIGHTNING
from cryptons.money import Base, format_coin


def split_destination(destination: str) -> tuple[str, str]:
    """Split a destination into address and destination tag. Only XRP has tags; others return an empty one."""
    address, _, tag = destination.partition("?dt=")
    return address, tag


def payment_uri(network: str, destination: str, amount: Base | int, *, label: str, lightning: str = "") -> str:
    """Return the payment URI, with the amount in coins without trailing zeros. `lightning` is a BOLT11 invoice for the same amount."""
    if network == LIGHTNING:
        return f"lightning:{lightning}"
    coin = COINS[network]
    coins = format_coin(amount, network).rstrip("0").rstrip(".")
    if coin.shares_account:
        address, tag = split_destination(destination)
        return f"{coin.uri_scheme}://{address}?dt={tag}&amount={coins}"
    return f"{coin.uri_scheme}:{destination}?amount={coins}&label={quote(label, safe='')}{f'&lightning={lightning}' if lightning else ''}"
