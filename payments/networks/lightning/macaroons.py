"""Read what a macaroon of LND allows from its bytes, so that the shop's macaroons allow no more than it needs. Pure; asks no node.

Sources: libmacaroons' binary format, version 2; LND's `MacaroonId` (nonce 1, storageId 2, ops 3) and `Op` (entity 1, actions 2).
"""

from collections.abc import Iterator

VERSION = 2
IDENTIFIER = 2
LND_IDENTIFIER = 3

RECEIVE = frozenset(
    {
        "uri:/lnrpc.Lightning/GetInfo",
        "uri:/lnrpc.Lightning/AddInvoice",
        "uri:/lnrpc.Lightning/LookupInvoice",
        "uri:/lnrpc.Lightning/ListInvoices",
        "uri:/lnrpc.Lightning/SubscribeInvoices",
        "uri:/lnrpc.Lightning/ListChannels",
        "uri:/lnrpc.Lightning/ChannelBalance",
        "uri:/invoicesrpc.Invoices/CancelInvoice",
    }
)
"""What the shop needs to receive payments and to reconcile them."""
ESTIMATE = frozenset({"uri:/lnrpc.Lightning/DecodePayReq", "uri:/lnrpc.Lightning/QueryRoutes"})
"""What it needs besides, to show the fee of a payout over Lightning before the approval."""
PAY_OUT = frozenset(
    {
        "uri:/lnrpc.Lightning/DecodePayReq",
        "uri:/lnrpc.Lightning/ListPayments",
        "uri:/routerrpc.Router/SendPaymentV2",
        "uri:/routerrpc.Router/TrackPaymentV2",
    }
)
"""What the payouts' worker needs to pay, and to list what was paid."""


def permissions(macaroon: bytes) -> frozenset[str]:
    """Return `entity:action` of each permission of the macaroon, as `lncli bakemacaroon` takes them. Raises ValueError."""
    if not macaroon or macaroon[0] != VERSION:
        raise ValueError("This is no macaroon of version 2.")
    at = 1
    while at < len(macaroon):
        kind, at = _varint(macaroon, at)
        if kind == 0:
            break
        length, at = _varint(macaroon, at)
        if kind == IDENTIFIER:
            return frozenset(_read(macaroon[at : at + length]))
        at += length
    raise ValueError("This macaroon has no identifier.")


def needless(macaroon: bytes, needed: frozenset[str]) -> list[str]:
    """Return the permissions that the macaroon has beyond the needed ones. Raises ValueError."""
    return sorted(permissions(macaroon) - needed)


def _read(identifier: bytes) -> Iterator[str]:
    if not identifier or identifier[0] != LND_IDENTIFIER:
        raise ValueError("This macaroon is not LND's.")
    for number, operation in _fields(identifier[1:]):
        if number == 3:
            parts = list(_fields(operation))
            (entity,) = (value.decode() for kind, value in parts if kind == 1)
            yield from (f"{entity}:{value.decode()}" for kind, value in parts if kind == 2)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each field of a protobuf message that holds only bytes. Raises ValueError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        length, at = _varint(message, at)
        if key & 7 != 2 or at + length > len(message):
            raise ValueError("This macaroon is cut off.")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length integer. Returns it with the position after it. Raises ValueError."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7
    raise ValueError("This macaroon is cut off.")
