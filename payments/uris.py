"""What a wallet reads from a QR code.

Sources: BIP 21 (`bitcoin:`, with a BOLT11 invoice as `lightning=`), the same form for `litecoin:`, BOLT 11 (`lightning:`); XRP wallets
take `xrpl:` with a destination tag `dt`.
"""

from urllib.parse import quote

from cryptons.money import Base, format_coin

SCHEMES = {"BTC": "bitcoin", "LTC": "litecoin", "XRP": "xrpl"}


def split_destination(destination: str) -> tuple[str, str]:
    """(address, destination tag); the tag is empty but for XRP."""
    address, _, tag = destination.partition("?dt=")
    return address, tag


def payment_uri(network: str, destination: str, amount: Base | int, *, label: str, lightning: str = "") -> str:
    """The amount in coins without needless zeros, as wallets like it. `lightning`: the BOLT11 invoice that pays the same."""
    if network == "BTC-LN":
        return f"lightning:{lightning}"
    address, tag = split_destination(destination)
    coins = format_coin(amount, network).rstrip("0").rstrip(".")
    query = f"amount={coins}&label={quote(label, safe='')}{f'&lightning={lightning}' if lightning else ''}"
    return f"{SCHEMES[network]}:{address}?{f'dt={tag}&' if tag else ''}{query}"
