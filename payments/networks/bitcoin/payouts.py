"""Pay out on a chain, at most once: the transaction is made, signed and stored before it is broadcast.

After a failure the same transaction is broadcast again, which cannot pay twice. `sendtoaddress` would make another transaction each time,
and a call that timed out may still take effect after the wallet was asked about it. A watch-only wallet makes the same transaction
without signatures: a PSBT, for staff to sign.

Source: Bitcoin Core RPC `walletcreatefundedpsbt`, `walletprocesspsbt`, `finalizepsbt`, `decodepsbt`, `sendrawtransaction`,
`gettxout`, `listsinceblock`.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bitcoin.core import CTransaction, b2lx
from bitcoin.core.serialize import SerializationError
from django.utils.translation import gettext as _

from cryptons.coins import CoreCoin
from cryptons.money import Base, format_coin, parse_coin
from payments.confirmations import FINAL_DEPTH
from payments.errors import NodeRejected
from payments.networks.bitcoin.rpc import MISUSED, NOT_A_HASH, NOT_IN_WALLET_OR_MEMPOOL, Conversation
from payments.networks.bitcoin.wallet import new_address, open_payout_wallet, open_wallet
from payments.networks.json_rpc import RpcError

INSUFFICIENT_FUNDS = (-6, -4)
ALREADY_IN_CHAIN = -27
REJECTED = (-25, -26)
UNSIGNED = "cHNidP"
"""How a PSBT begins in base64; anything else that is stored is a transaction in hex."""


class OutOfFunds(NodeRejected):
    """The payout wallet holds too little, or its coins are locked."""


class FeeTooHigh(NodeRejected):
    """The fee of the transaction is above the limit."""

    def __init__(self, fee_base: Base) -> None:
        super().__init__(_("The network fee is too high at the moment."))
        self.fee_base = fee_base


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
    """The result of a broadcast.

    `status`: `sent`; `failed` (this transaction can never be in a block); `waits` (refused now, but it may be taken later).
    """

    status: str
    problem: str = ""


NEWEST_WITNESS = 1
"""Taproot. Money sent to a later version is anybody's until the network gives it a meaning."""


def is_address(coin: CoreCoin, text: str) -> bool:
    """Ask the node whether a payout may go to this address. Raises NodeUnavailable, NodeRejected.

    litecoind calls an address within MWEB valid too, but then makes an output with an empty script, which anybody may spend.
    """
    with open_wallet(coin) as wallet:
        answer = wallet.call("validateaddress", text)
        return bool(answer["isvalid"] and answer["scriptPubKey"] and answer.get("witness_version", 0) <= NEWEST_WITNESS)


def estimate_fee(coin: CoreCoin, address: str, amount: Base) -> Base:
    """Return what a transaction that pays the amount would cost now. It is thrown away: nothing is locked, and no address is used up.

    Raises NodeUnavailable, NodeRejected, OutOfFunds.
    """
    with open_payout_wallet(coin) as wallet:
        return _estimate(wallet, address, amount)


def _estimate(wallet: Conversation, address: str, amount: Base) -> Base:
    return _fee(wallet, _funded(wallet, address, amount, {"changeAddress": address}))


def draft(coin: CoreCoin, address: str, amount: Base, kept: Collection[str] = (), max_fee: Base | None = None) -> Draft:
    """Make a transaction that pays the amount, and lock its coins and those of `kept`: stored transactions that may still be sent.

    The node forgets its locks when it restarts; two transactions that spend one coin would replace each other, and one buyer would get
    nothing. Raises NodeUnavailable, NodeRejected, OutOfFunds, FeeTooHigh.
    """
    with open_payout_wallet(coin) as wallet:
        _set_aside(wallet, kept)
        if max_fee is not None:
            _check_fee(_estimate(wallet, address, amount), max_fee)  # a draft would use up an address for the change at each try
        made = _funded(wallet, address, amount, {"lockUnspents": True, **_change(wallet)})
        try:
            fee = _fee(wallet, made)
            _check_fee(fee, max_fee)
            _check_pays(wallet, _decoded(wallet, made["psbt"]), address, amount)
            signed = wallet.call("walletprocesspsbt", made["psbt"])
            raw = _finalised(wallet, signed["psbt"])
            txid = _txid(wallet, signed["psbt"], raw)
        except (RpcError, NodeRejected):  # otherwise each try would lock more coins
            _give_back(wallet, made["psbt"])
            raise
        return Draft(signed["psbt"], raw, txid, fee)


def _funded(wallet: Conversation, address: str, amount: Base, options: dict[str, Any]) -> dict[str, Any]:
    """Make a transaction without signatures. Returns its `psbt`, and its `fee` in coins. Raises OutOfFunds, NodeRejected."""
    outputs = [{address: format_coin(amount, wallet.coin.code)}]
    try:
        return dict(wallet.call("walletcreatefundedpsbt", [], outputs, 0, options, True))
    except RpcError as error:
        code, text = error.code, error.message
        if code not in INSUFFICIENT_FUNDS:
            raise
        kind = OutOfFunds if "nsufficient funds" in text else NodeRejected
        raise kind(_("The wallet for payouts cannot pay this: %(reason)s") % {"reason": text}) from error


def _fee(wallet: Conversation, made: dict[str, Any]) -> Base:
    return parse_coin(Decimal(made["fee"]), wallet.coin.code)


def _check_fee(fee: Base, max_fee: Base | None) -> None:
    """Raise FeeTooHigh."""
    if max_fee is not None and fee > max_fee:
        raise FeeTooHigh(fee)


def _set_aside(wallet: Conversation, kept: Collection[str]) -> None:
    locked = _locked(wallet) if kept else []
    for spent in [spent for stored in kept for spent in _spends(_decoded(wallet, stored))]:
        if spent not in locked:
            with _despite(NOT_A_HASH):  # the coin is spent: nothing is left to lock
                wallet.call("lockunspent", False, [spent])


def _locked(wallet: Conversation) -> list[dict[str, Any]]:
    return [{"txid": each["txid"], "vout": each["vout"]} for each in wallet.call("listlockunspent")]


def _decoded(wallet: Conversation, stored: str) -> dict[str, Any]:
    decoded = wallet.call("decodepsbt", stored)["tx"] if stored.startswith(UNSIGNED) else wallet.call("decoderawtransaction", stored)
    return dict(decoded)


def _spends(transaction: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"txid": each["txid"], "vout": each["vout"]} for each in transaction["vin"]]


def _check_pays(wallet: Conversation, transaction: dict[str, Any], address: str, amount: Base) -> None:
    """Check that the transaction pays exactly the payout, once. Raises NodeRejected."""
    script = wallet.call("validateaddress", address)["scriptPubKey"]
    paid = [parse_coin(Decimal(each["value"]), wallet.coin.code) for each in transaction["vout"] if each["scriptPubKey"]["hex"] == script]
    if not script or paid != [amount]:
        raise NodeRejected(
            _("This transaction does not pay %(amount)s %(coin)s to %(address)s.")
            % {"amount": format_coin(amount, wallet.coin.code), "coin": wallet.coin.code, "address": address}
        )


def release(coin: CoreCoin, psbt: str) -> None:
    """Unlock the coins of a transaction. Raises NodeUnavailable, NodeRejected."""
    with open_payout_wallet(coin) as wallet:
        _give_back(wallet, psbt)


def _give_back(wallet: Conversation, stored: str) -> None:
    locked = _locked(wallet)
    wallet.call("lockunspent", True, [spent for spent in _spends(_decoded(wallet, stored)) if spent in locked])


def is_broadcast(coin: CoreCoin, psbt: str) -> bool:
    """Return whether the transaction was broadcast already: the wallet of staff may have sent it. Raises NodeUnavailable, NodeRejected.

    False for a transaction that spends `pkh` coins, because signatures change its txid.
    """
    with open_payout_wallet(coin) as wallet:
        return _is_known(wallet, _txid(wallet, psbt, ""))


def signed_by_staff(coin: CoreCoin, offered: str, signed: str, address: str, amount: Base) -> Draft:
    """Return the offered transaction with all its signatures. Raises NodeRejected for any other transaction, NodeUnavailable."""
    with open_wallet(coin) as wallet:
        try:
            before = wallet.call("decodepsbt", offered)
            after = wallet.call("decodepsbt", signed)
        except RpcError as error:
            raise NodeRejected(_("This is not a PSBT. Upload the file that your wallet wrote when it signed.")) from error
        if _body(before) != _body(after):
            raise NodeRejected(_("This is another transaction, not the one that was offered. Download that one again and sign it."))
        _check_pays(wallet, after["tx"], address, amount)
        both = wallet.call("combinepsbt", [offered, signed])
        raw = _finalised(wallet, both)
        if not raw:
            raise NodeRejected(_("Signatures are missing. Sign it with each of the wallet's keys, then upload it again."))
        return Draft(both, raw, _txid(wallet, both, raw), parse_coin(Decimal(before["fee"]), coin.code))


def _body(decoded: dict[str, Any]) -> tuple[Any, ...]:
    """Return what the signatures do not change: the coins that the transaction spends, its outputs, lock time and version."""
    transaction = decoded["tx"]
    spends = [(each["txid"], each["vout"], each["sequence"]) for each in transaction["vin"]]
    pays = [(each["value"], each["scriptPubKey"]["hex"]) for each in transaction["vout"]]
    return spends, pays, transaction["locktime"], transaction["version"]


def broadcast(coin: CoreCoin, raw: str, txid: str) -> Outcome:
    """Broadcast the transaction. Safe to repeat. Raises NodeUnavailable, NodeRejected.

    It never replaces another transaction, because that could be the payout of another buyer.
    """
    with open_payout_wallet(coin) as wallet:
        if not _is_known(wallet, txid) and (hindrance := _hindrance(wallet, _spends(_decoded(wallet, raw)))):
            return hindrance
        try:
            wallet.call("sendrawtransaction", raw)
        except RpcError as error:
            code = error.code
            if code == ALREADY_IN_CHAIN or (code in REJECTED and _is_known(wallet, txid)):
                return Outcome("sent")
            if code in REJECTED:
                return Outcome("waits", _("%(node)s does not take it now: %(reason)s") % {"node": coin.node, "reason": error.message})
            raise
        return Outcome("sent")


def _hindrance(wallet: Conversation, spends: list[dict[str, Any]]) -> Outcome | None:
    """Return why the transaction cannot be sent: a permanent reason if there is one, else a temporary one, else None."""
    reasons = [reason for coin in spends if (reason := _lost(wallet, coin["txid"], coin["vout"]))]
    return next((reason for reason in reasons if reason.status == "failed"), next(iter(reasons), None))


def _lost(wallet: Conversation, txid: str, vout: int) -> Outcome | None:
    """Return why this coin cannot be spent, or None.

    The reason is permanent only at FINAL_DEPTH: before that, a reorg could return the coin, and a payout that has failed could be sent.
    """
    if wallet.call("gettxout", txid, vout, True) is not None:
        return None
    if wallet.call("gettxout", txid, vout, False) is not None:
        return Outcome("waits", _("Another transaction, which is in no block yet, spends one of its inputs."))
    made = _confirmations(wallet, txid)
    if made <= -FINAL_DEPTH:
        return Outcome(
            "failed", _("An output that it spends was never made: another transaction replaced the one that would have created it.")
        )
    if made <= 0:
        return Outcome("waits", _("The node does not know an output that it spends: the transaction that creates it is in no block."))
    depth = _depth_of_spender(wallet, txid, vout)
    if depth is None:
        return Outcome("failed", _("Another transaction has spent one of its inputs, so it can never be sent."))
    text = _(
        "Another transaction has spent one of its inputs and is %(depth)s of %(final_depth)s blocks deep: "
        "this payout fails when that transaction is %(final_depth)s blocks deep."
    )
    return Outcome("waits", text % {"depth": depth, "final_depth": FINAL_DEPTH})


def _depth_of_spender(wallet: Conversation, txid: str, vout: int) -> int | None:
    """Return how deep the wallet's other transaction is that spends this coin; None at FINAL_DEPTH or deeper."""
    for spender in _shallow(wallet):
        transaction = wallet.call("gettransaction", spender, True, True)
        if any((spent.get("txid"), spent.get("vout")) == (txid, vout) for spent in transaction["decoded"]["vin"]):
            return max(0, int(transaction["confirmations"]))
    return None


def _shallow(wallet: Conversation) -> set[str]:
    """Return the ids of the wallet's transactions that are less than FINAL_DEPTH deep, or in no block."""
    since = wallet.call("getblockhash", max(0, wallet.call("getblockcount") - FINAL_DEPTH + 1))
    try:
        listed = wallet.call("listsinceblock", since, 1, True, False, True)
    except RpcError as error:  # older ones, litecoind too, cannot tell of what goes to the wallet's change alone
        if error.code != MISUSED:
            raise
        listed = wallet.call("listsinceblock", since, 1, True, False)
    return {each["txid"] for each in listed["transactions"]}


def coins_of(raw: str) -> list[str]:
    """Return `txid:vout` of each coin that a stored transaction spends, without a node; empty for one that only its node can read."""
    try:
        spent = [each.prevout for each in CTransaction.deserialize(bytes.fromhex(raw)).vin]
    except (ValueError, SerializationError):
        return []
    return [f"{b2lx(each.hash)}:{each.n}" for each in spent]


def paid_by(coin: CoreCoin, txids: Collection[str]) -> dict[str, dict[str, Base]]:
    """Return {txid: {address: amount}} in base units, without transactions that the wallet does not know or that conflict.

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
    """Return whether the wallet knows the transaction, in the mempool or in a block, and no other has replaced it."""
    transaction = _transaction(wallet, txid)
    confirmations = transaction.get("confirmations", -1)
    return bool(confirmations > 0 or (confirmations == 0 and not transaction.get("mempoolconflicts")))


def _confirmations(wallet: Conversation, txid: str) -> int:
    return int(_transaction(wallet, txid).get("confirmations", -1))


def _transaction(wallet: Conversation, txid: str) -> dict[str, Any]:
    """Return `gettransaction`; empty when the wallet does not know the transaction."""
    try:
        return dict(wallet.call("gettransaction", txid, True))
    except RpcError as error:
        if error.code != NOT_IN_WALLET_OR_MEMPOOL:
            raise
        return {}


def _finalised(wallet: Conversation, psbt: str) -> str:
    answer = wallet.call("finalizepsbt", psbt)
    return str(answer["hex"]) if answer["complete"] else ""


def _txid(wallet: Conversation, psbt: str, raw: str) -> str:
    return str(wallet.call("decoderawtransaction", raw)["txid"] if raw else wallet.call("decodepsbt", psbt)["tx"]["txid"])


@contextmanager
def _despite(code: int) -> Iterator[None]:
    """Ignore this error code of the node."""
    try:
        yield
    except RpcError as error:
        if error.code != code:
            raise


def _change(wallet: Conversation) -> dict[str, str]:
    """Return the option that sets the change address: a receiving address, because a watch-only wallet has no addresses for change."""
    if wallet.call("getwalletinfo")["private_keys_enabled"]:
        return {}
    return {"changeAddress": new_address(wallet, "change of a payout")}
