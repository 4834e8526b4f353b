"""Read what an XRP Ledger server reports about itself, the shop's account and its payments, as plain values.

API version 1 and 2 write the same things in different places; a server or a proxy may answer in either, so both are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from xrpl.models.requests import AccountInfo, Ledger, ServerInfo
from xrpl.utils import ripple_time_to_datetime

from cryptons.money import Base
from payments.errors import NodeUnavailable
from payments.networks.base import Fact
from payments.networks.json_rpc import RpcError
from payments.networks.reading import name_of
from payments.networks.xrp.rpc import AMENDMENT_BLOCKED, OUT_OF_STEP, Conversation

MAIN_NETWORK = "0"
IN_STEP = ("full", "proposing", "validating", "")
"""Values of `server_state`; Clio, which knows validated ledgers only, has none."""
OLDEST = timedelta(minutes=1)
"""Ledgers close every few seconds: a server whose last validated one is older than this is behind, or the network stands still."""


@dataclass(frozen=True)
class Server:
    ledger: int
    """The last validated ledger; 0 while it knows none."""
    first: int
    """The first ledger of its unbroken history."""
    network_id: str
    problem: str
    """A sentence why no money can be asked for now; empty while it can."""


@dataclass(frozen=True)
class Account:
    """The flags of the shop's account that decide who can pay it."""

    requires_tag: bool
    refuses_strangers: bool
    """DepositAuth: the ledger refuses payments of everybody whom the account has not named."""
    unwanted: bool
    """DisallowXRP: the ledger takes payments, but wallets should not send any."""


def read_server(xrp: Conversation) -> Server:
    """Ask the server for its state. Source: rippled and Clio `server_info`."""
    info = xrp.ask(ServerInfo())["info"]
    validated = info.get("validated_ledger") or {}
    ledger = int(validated.get("seq", 0))
    ranges = str(info.get("complete_ledgers", "")).split(",")
    first = ranges[-1].partition("-")[0].strip()
    return Server(
        ledger=ledger,
        first=int(first) if first.isdecimal() else ledger,
        network_id=str(info.get("network_id") or MAIN_NETWORK),
        problem=_problem(info, ledger, timedelta(seconds=int(validated.get("age", 0)))),
    )


def _problem(info: Mapping[str, Any], ledger: int, age: timedelta) -> str:
    if info.get("amendment_blocked"):
        return str(AMENDMENT_BLOCKED)
    if not ledger or info.get("server_state", "") not in IN_STEP:
        return str(OUT_OF_STEP)
    if age > OLDEST:
        return _("The XRP server's last validated ledger is %(age)s old: it is behind, or the network stands still.") % {"age": age}
    return ""


def read_account(xrp: Conversation, address: str) -> Account:
    """Ask for the flags of the account. Raises NodeUnavailable while the account does not exist.

    Source: rippled `account_info`, the flags of AccountRoot.
    """
    try:
        answer = xrp.ask(AccountInfo(account=address, ledger_index="validated"))
    except RpcError as error:
        if error.code != "actNotFound":
            raise
        raise NodeUnavailable(
            _("The XRP account %(address)s does not exist yet: send it the network's reserve, then it can be paid.") % {"address": address}
        ) from error
    flags = int(answer["account_data"]["Flags"])
    return Account(
        requires_tag=bool(flags & 0x0002_0000),
        refuses_strangers=bool(flags & 0x0100_0000),
        unwanted=bool(flags & 0x0008_0000),
    )


def read_close_time(xrp: Conversation, ledger: int) -> datetime:
    return ripple_time_to_datetime(int(xrp.ask(Ledger(ledger_index=ledger))["ledger"]["close_time"]))


@dataclass(frozen=True)
class Entry:
    """One transaction of `account_tx`. Version 1 has `tx` with hash and ledger in it, version 2 `tx_json` with both next to it."""

    raw: Mapping[str, Any]

    @property
    def transaction(self) -> Mapping[str, Any]:
        transaction: Mapping[str, Any] = self.raw.get("tx_json") or self.raw["tx"]
        return transaction

    @property
    def reference(self) -> str:
        return str(self.raw.get("hash") or self.transaction["hash"])

    @property
    def name(self) -> str:
        """The hash, or a fingerprint if the hash is missing, so that staff can find the transaction."""
        return name_of(self.raw if "hash" in self.raw else self.raw.get("tx", self.raw), "hash")

    @property
    def ledger(self) -> int:
        return int(self.raw.get("ledger_index") or self.transaction["ledger_index"])

    @property
    def closed_at(self) -> datetime:
        """When its ledger closed. The ledger rounds this time by some seconds."""
        if "date" in self.transaction:
            return ripple_time_to_datetime(int(self.transaction["date"]))
        return datetime.fromisoformat(self.raw["close_time_iso"])

    @property
    def is_validated(self) -> bool:
        return self.raw.get("validated") is True

    @property
    def delivered(self) -> Any:
        """The delivered amount: drops as a string, an object for other currencies; any other value means that the server does not know it.

        Never `Amount` (`DeliverMax`): that is what the sender would have paid at most, and a partial payment of a million delivers a drop.
        """
        return self.raw["meta"].get("delivered_amount")

    def is_payment_to(self, address: str) -> bool:
        """Return whether this is a successful payment to the account. A payment to itself only exchanges currencies, and does not count."""
        transaction = self.transaction
        return bool(
            transaction["TransactionType"] == "Payment"
            and transaction["Destination"] == address
            and transaction["Account"] != address
            and self.raw["meta"]["TransactionResult"] == "tesSUCCESS"
        )

    def fact(self) -> Fact:
        """Return the fact of a payment in XRP. Its amount is in drops."""
        return Fact(
            reference=self.reference,
            destination=tagged(self.transaction["Destination"], self.transaction.get("DestinationTag")),
            amount_base=Base(int(self.delivered)),
            first_seen_at=self.closed_at,
            height=self.ledger,
            block_hash=str(self.raw.get("ledger_hash") or ""),
            is_safe=True,
        )


def tagged(address: str, tag: int | None) -> str:
    return address if tag is None else f"{address}?dt={tag}"
