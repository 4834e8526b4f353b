"""The payouts' worker as processes that can be killed at any moment: `python -m tests.stack.sender`.

For each line that comes in, `["command", argument…]`, a process does it: its pid goes out at once, its answer when it has one, and
`ended`, also when it was killed.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
django.setup()

from django.utils import timezone  # noqa: E402

from payments.errors import PaymentError  # noqa: E402
from payments.models import Option, Payout  # noqa: E402
from payments.networks.bitcoin.payouts import coins_of  # noqa: E402
from payments.networks.lightning import payouts as lightning_payer  # noqa: E402
from payments.payouts.destinations import BadDestination, check_destination  # noqa: E402
from payments.payouts.fees import fee_words  # noqa: E402
from payments.payouts.sending import accept_signed, send  # noqa: E402
from payments.payouts.tests.payout_steps import covered_payout  # noqa: E402
from payments.payouts.workflow import allow_fee  # noqa: E402
from payments.tests.factories import InvoiceFactory  # noqa: E402


def make(network: str, amount: int, *destinations: str) -> list[str]:
    """Approved payouts of money that was received; their ids."""
    now = timezone.now()
    invoice = InvoiceFactory.create(status="expired", expires_at=now, monitor_until=now)
    values = {"invoice": invoice, "network": network, "amount_base": amount, "approved_at": now, "next_try_at": now}
    return [str(covered_payout(destination=destination, **values).pk) for destination in destinations]


def send_one(payout_id: str) -> None:
    send(UUID(payout_id), at=timezone.now())


def sign(payout_id: str, psbt: str) -> str:
    """As staff upload it; what the shop refuses is said."""
    try:
        accept_signed(UUID(payout_id), psbt, actor="grace", at=timezone.now())
    except PaymentError as error:
        return str(error)
    return ""


def allow(payout_id: str, fee: int) -> None:
    """As staff allow a higher fee."""
    allow_fee(UUID(payout_id), fee, actor="grace", reason="The buyer waits.", at=timezone.now())


def fee(payout_id: str) -> list[str]:
    """What staff read before they approve it."""
    return fee_words(Payout.objects.get(pk=payout_id))


def coins(payout_id: str) -> list[str]:
    return coins_of(Payout.objects.get(pk=payout_id).psbt)


def check(address: str, network: str, amount: int) -> str:
    """As a buyer gives it."""
    try:
        check_destination(network, address, amount, at=timezone.now())
    except BadDestination as error:
        return str(error)
    return ""


def sweep(patience: int | None) -> None:
    """As if the time of each next try had come; LND is waited for so many seconds."""
    if patience is not None:
        lightning_payer.WAIT_FOR = timedelta(seconds=patience)
    for payout_id, due_at in list(Payout.objects.exclude(next_try_at=None).values_list("pk", "next_try_at")):
        assert due_at is not None
        send(payout_id, at=max(due_at, timezone.now()))


def row(payout_id: str) -> dict[str, str | None]:
    """Of a database that is not a file, which the tests read themselves."""
    payout = Payout.objects.get(pk=payout_id)
    return {"status": payout.status, "reference": payout.reference}


def orders() -> dict[str, str]:
    """The label of each at its wallet, with the address of its payment."""
    return {option.invoice.label: option.destination for option in Option.objects.exclude(wallet="").select_related("invoice")}


COMMANDS: dict[str, Callable[..., Any]] = {
    "allow": allow,
    "check": check,
    "coins": coins,
    "fee": fee,
    "make": make,
    "orders": orders,
    "row": row,
    "send": send_one,
    "sign": sign,
    "sweep": sweep,
}

if __name__ == "__main__":
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        pid = os.fork()
        if not pid:
            print(os.getpid(), flush=True)
            print(json.dumps(COMMANDS[command](*arguments)), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print("ended", flush=True)
