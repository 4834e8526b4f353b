"""The payouts' worker as processes that can be killed at any moment: `python -m tests.stack.sender make|serve|sweep`."""

import json
import os
import sys
from datetime import timedelta
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cryptons.settings")
django.setup()

from django.utils import timezone  # noqa: E402

from payments.models import Payout  # noqa: E402
from payments.sending import send  # noqa: E402
from payments.tests.factories import InvoiceFactory, PayoutFactory  # noqa: E402


def make(network: str, amount: str, *destinations: str) -> None:
    """Approved payouts; their ids as JSON."""
    now = timezone.now()
    invoice = InvoiceFactory(status="expired", expires_at=now, monitor_until=now)
    rows = [
        PayoutFactory(
            invoice=invoice,
            network=network,
            amount_base=int(amount),
            destination=destination,
            status="approved",
            approved_at=now,
            next_try_at=now,
        )
        for destination in destinations
    ]
    print(json.dumps([str(row.pk) for row in rows]))


def serve() -> None:
    """For each id that comes in, a process that sends it: its pid goes out at once, and a line when it has ended."""
    for line in sys.stdin:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            print(os.getpid(), flush=True)
            send(UUID(line.strip()), at=timezone.now())
            os._exit(0)
        os.waitpid(pid, 0)
        print("ended", flush=True)


def sweep() -> None:
    """As if an hour had passed."""
    later = timezone.now() + timedelta(hours=1)
    for payout_id in Payout.objects.filter(next_try_at__lte=later).values_list("pk", flat=True):
        send(payout_id, at=later)


if __name__ == "__main__":
    {"make": make, "serve": serve, "sweep": sweep}[sys.argv[1]](*sys.argv[2:])
