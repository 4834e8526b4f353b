"""Paying out on a chain, once at most: the transaction is made, signed and stored before the network hears of it.

Whatever happens then, the same transaction is sent again, which is no second payment. `sendtoaddress` makes another one each time, and a
call of it that is given up may still be carried out after the wallet was asked whether it was. A wallet that only watches makes the
same transaction without signatures: a PSBT, for staff to sign.

Source: Bitcoin Core RPC `walletcreatefundedpsbt`, `walletprocesspsbt`, `finalizepsbt`, `decodepsbt`, `sendrawtransaction`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bitcoin.rpc import JSONRPCError

from cryptons.money import Base, format_coin, parse_coin
from payments.errors import NodeRejected
from payments.networks.bitcoin_rpc import NOT_IN_WALLET_OR_MEMPOOL, Conversation
from payments.networks.bitcoin_wallet import new_address, open_payout_wallet, open_wallet
from payments.networks.coins import Coin

INSUFFICIENT_FUNDS = (-6, -4)
ALREADY_IN_CHAIN = -27
REJECTED = (-25, -26)


@dataclass(frozen=True)
class Draft:
    """A transaction that pays the payout and nothing else but change."""

    psbt: str
    raw: str
    """Signed and ready, in hex; empty while signatures are missing."""
    txid: str
    fee_base: Base


@dataclass(frozen=True)
class Outcome:
    """`status`: sent, or failed: this transaction can never be in a block."""

    status: str
    problem: str = ""


def is_address(coin: Coin, text: str) -> bool:
    """By the node's own word. Raises NodeUnavailable, NodeRejected."""
    with open_wallet(coin) as wallet:
        return bool(wallet.call("validateaddress", text)["isvalid"])


def draft(coin: Coin, address: str, amount: Base) -> Draft:
    """Its coins are set aside for it until the node restarts. Raises NodeUnavailable, NodeRejected."""
    with open_payout_wallet(coin) as wallet:
        outputs = [{address: format_coin(amount, coin.code)}]
        options = {"lockUnspents": True, **_change(wallet)}
        try:
            made = wallet.call("walletcreatefundedpsbt", [], outputs, 0, options, True)
        except JSONRPCError as error:
            if error.error["code"] in INSUFFICIENT_FUNDS:
                raise NodeRejected(f"The wallet for payouts cannot pay this: {error.error['message']}") from error
            raise
        signed = wallet.call("walletprocesspsbt", made["psbt"])
        raw = _finalised(wallet, signed["psbt"])
        txid = _txid(wallet, signed["psbt"], raw)
        return Draft(signed["psbt"], raw, txid, parse_coin(Decimal(made["fee"]), coin.code))


def _change(wallet: Conversation) -> dict[str, str]:
    """A wallet that watches one descriptor has no addresses for change: one of those that it receives by does as well."""
    if wallet.call("getwalletinfo")["private_keys_enabled"]:
        return {}
    return {"changeAddress": new_address(wallet, "change of a payout")}


def release(coin: Coin, psbt: str) -> None:
    """Its coins may be spent again. Raises NodeUnavailable, NodeRejected."""
    with open_wallet(coin) as wallet:
        inputs = [{"txid": each["txid"], "vout": each["vout"]} for each in wallet.call("decodepsbt", psbt)["tx"]["vin"]]
        locked = [{"txid": each["txid"], "vout": each["vout"]} for each in wallet.call("listlockunspent")]
        wallet.call("lockunspent", True, [each for each in inputs if each in locked])


def signed_by_staff(coin: Coin, offered: str, signed: str) -> Draft:
    """The transaction that was offered, with all its signatures. Raises NodeRejected for any other, NodeUnavailable."""
    with open_wallet(coin) as wallet:
        try:
            before = wallet.call("decodepsbt", offered)
            after = wallet.call("decodepsbt", signed)
        except JSONRPCError as error:
            raise NodeRejected("This is not a PSBT. Upload the file that your wallet wrote when it signed.") from error
        if _body(before) != _body(after):
            raise NodeRejected("This is another transaction than the one that was offered. Download it again and sign that.")
        both = wallet.call("combinepsbt", [offered, signed])
        raw = _finalised(wallet, both)
        if not raw:
            raise NodeRejected("Signatures are missing. Sign it with each of the wallet's keys, then upload it again.")
        return Draft(both, raw, _txid(wallet, both, raw), parse_coin(Decimal(before["fee"]), coin.code))


def _body(decoded: dict[str, Any]) -> tuple[Any, ...]:
    """What the transaction does: which coins it spends, and whom it pays how much."""
    transaction = decoded["tx"]
    spends = [(each["txid"], each["vout"], each["sequence"]) for each in transaction["vin"]]
    pays = [(each["value"], each["scriptPubKey"]["hex"]) for each in transaction["vout"]]
    return spends, pays, transaction["locktime"], transaction["version"]


def broadcast(coin: Coin, raw: str, txid: str) -> Outcome:
    """Tell the network, as often as one likes. Raises NodeUnavailable, NodeRejected."""
    with open_payout_wallet(coin) as wallet:
        try:
            wallet.call("sendrawtransaction", raw)
        except JSONRPCError as error:
            code = error.error["code"]
            if code == ALREADY_IN_CHAIN or (code in REJECTED and _is_known(wallet, txid)):
                return Outcome("sent")
            if code in REJECTED:
                return Outcome("failed", f"The network does not take it: {error.error['message']}")
            raise
        return Outcome("sent")


def paid_by(coin: Coin, txids: Collection[str]) -> dict[str, dict[str, Base]]:
    """What each of these transactions pays to which address; without those that the wallet does not know, or that are void.

    Raises NodeUnavailable, NodeRejected.
    """
    paid: dict[str, dict[str, Base]] = {}
    with open_payout_wallet(coin) as wallet:
        for txid in txids:
            if _is_known(wallet, txid):
                outputs = wallet.call("gettransaction", txid, True)["details"]
                spent = [each for each in outputs if each["category"] == "send" and "address" in each]
                paid[txid] = {each["address"]: parse_coin(-Decimal(each["amount"]), coin.code) for each in spent}
    return paid


def _is_known(wallet: Conversation, txid: str) -> bool:
    """In the mempool, or in a block although all its outputs were spent since."""
    try:
        return bool(wallet.call("gettransaction", txid, True)["confirmations"] >= 0)
    except JSONRPCError as error:
        if error.error["code"] != NOT_IN_WALLET_OR_MEMPOOL:
            raise
        return False


def _finalised(wallet: Conversation, psbt: str) -> str:
    told = wallet.call("finalizepsbt", psbt)
    return str(told["hex"]) if told["complete"] else ""


def _txid(wallet: Conversation, psbt: str, raw: str) -> str:
    return str(wallet.call("decoderawtransaction", raw)["txid"] if raw else wallet.call("decodepsbt", psbt)["tx"]["txid"])
