from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cryptons.celery import enqueue
from cryptons.coins import core_coins
from payments.networks.registry import offered_networks
from payments.sync.notify_trigger import DEFAULT_NETWORK, TXID, release_leadership
from payments.tasks import follow_network


class Command(BaseCommand):
    """The slow path: manage.py takes a fast one where it can, see payments.sync.notify_trigger."""

    help = "Check a network now because its node reports a transaction: for bitcoind's walletnotify=… and blocknotify=…"
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("txid", metavar="TXID", help="64 hex digits; it is not believed, and the wallet is asked what it received")
        parser.add_argument("--network", choices=[coin.code for coin in core_coins()], default=DEFAULT_NETWORK)

    def handle(self, *args: Any, txid: str, network: str, **options: Any) -> None:
        """Queue a poll. It is no error if the queue is down: the next poll finds the payment."""
        if TXID.fullmatch(txid) is None:
            raise CommandError("TXID must be 64 hex digits.")
        if network not in offered_networks():
            raise CommandError(f"This shop does not take {network}.")
        release_leadership()
        enqueue(follow_network, network, expires=60)
