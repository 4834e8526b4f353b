"""Read how far a network was read, and what belongs to wallets that are no longer in use. Asks no node."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cryptons.coins import COINS, CoreCoin
from payments.models import Cursor, Invoice, Option, Payment
from payments.networks.base import CursorState, IssuingWallet

HASH_LENGTH = 64


def state_of(cursor: Cursor) -> CursorState:
    return CursorState(cursor.value, cursor.node_id, tuple(IssuingWallet(**stored) for stored in cursor.wallets))


def stored_wallets(state: CursorState) -> list[dict[str, Any]]:
    return [asdict(wallet) for wallet in state.wallets]


def known_block(network: str) -> str:
    """Return a block that the network's node must know: the cursor's. Empty where there is none; the sandbox's cursor is no block."""
    if not isinstance(COINS.get(network), CoreCoin):
        return ""
    value = Cursor.objects.filter(network=network).values_list("value", flat=True).first() or ""
    return value if len(value) == HASH_LENGTH else ""


def wallets_in_use_before(network: str) -> tuple[IssuingWallet, ...]:
    """Return the wallets that issued destinations before another one took their place, and that are still read."""
    cursor = Cursor.objects.filter(network=network).first()
    return state_of(cursor).wallets[1:] if cursor else ()


@dataclass(frozen=True)
class LeftBehind:
    """What waits at a wallet that is no longer in use."""

    wallet: IssuingWallet
    invoices: int
    """How many invoices are open, or have payments that are not final."""
    current: str
    """The name of the wallet in use."""

    @property
    def sentence(self) -> str:
        words = {"count": self.invoices, "former": self.wallet.name, "current": self.current, "time": f"{self._left_at:%Y-%m-%d %H:%M}"}
        text = (
            ngettext(
                "%(count)s unfinished invoice belongs to the wallet %(former)r, which was replaced by %(current)r at %(time)s UTC.",
                "%(count)s unfinished invoices belong to the wallet %(former)r, which was replaced by %(current)r at %(time)s UTC.",
                self.invoices,
            )
            % words
        )
        if self.wallet.is_read:
            return f"{text} {_('The node still has that wallet, and its payments are detected.')}"
        advice = _(
            "The node does not have that wallet: its payments are not detected, and none is taken for lost. Load it, or set it again."
        )
        return f"{text} {advice}"

    @property
    def _left_at(self) -> datetime:
        return datetime.fromisoformat(self.wallet.left_at)


def left_behind(cursor: Cursor) -> list[LeftBehind]:
    """Return the former wallets of which invoices are open or payments are not final."""
    wallets = state_of(cursor).wallets
    found = [LeftBehind(former, _count_waiting(cursor.network, former), wallets[0].name) for former in wallets[1:]]
    return [each for each in found if each.invoices]


def _count_waiting(network: str, former: IssuingWallet) -> int:
    """Count the invoices that wait for this wallet. Options that were stored before wallets were named count for it, too."""
    options = Option.objects.filter(network=network, wallet__in=["", former.name], created_at__lt=datetime.fromisoformat(former.left_at))
    is_open = Q(invoice__status__in=[Invoice.Status.NEW, Invoice.Status.PROCESSING], invoice__is_sandbox=False)
    waiting = set(options.filter(is_open).values_list("invoice_id", flat=True))
    unsure = Payment.objects.filter(network=network, is_final=False, is_present=True, invoice__is_sandbox=False).values_list(
        "option_id", flat=True
    )
    return len(waiting | set(options.filter(pk__in=list(unsure)).values_list("invoice_id", flat=True)))


def has_waiting(network: str) -> bool:
    """Return whether an invoice of this network is open or a payment is not final: then another chain is not accepted."""
    unsure = Payment.objects.filter(network=network, is_final=False, is_present=True, invoice__is_sandbox=False)
    is_open = {"invoice__status__in": [Invoice.Status.NEW, Invoice.Status.PROCESSING], "invoice__is_sandbox": False}
    return unsure.exists() or Option.objects.filter(network=network, **is_open).exists()
