"""Networks that play what a test writes, behind the Protocol of the real ones; and what in truth was paid there."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptons.money import Base
from payments.errors import NodeUnavailable
from payments.networks.base import CursorState, Destination, DestinationRequest, Fact, FactPage, IssuingWallet, NodeHealth
from payments.tests.factories import TIP

BEHIND = 8
"""How deep the chain's cursor lies: as deep as a payment of six confirmations is when it is final."""
LEARNS = timedelta(seconds=45)
"""For so long a node only knows that a payment has gone, not that other money was spent in its place."""


@dataclass
class Clock:
    """What the whole program takes for the time."""

    now: datetime

    def __call__(self, tz: object = None) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


@dataclass
class ScriptedNetwork:
    code: str
    clock: Clock
    opened: int = 0
    is_forgetful: bool = False
    """Its next destination is one that it gave away before."""
    tells_backwards: bool = False
    tells_twice: bool = False

    def open_destination(self, request: DestinationRequest) -> Destination:
        if self.is_forgetful and self.opened:
            self.is_forgetful = False
        else:
            self.opened += 1
        return Destination(f"{self.code.lower()}-{self.opened}")

    def close_destination(self, destination: str) -> None:
        """Nobody pays later than the test wants."""

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        wanted = set(destinations)
        return tuple(fact for fact in self.truth().values() if fact.destination in wanted and fact.is_present)

    def health(self) -> NodeHealth:
        return NodeHealth(problem="")

    def truth(self) -> dict[str, Fact]:
        """By reference, how each payment stands."""
        raise NotImplementedError

    def page(self, facts: Iterable[Fact], cursor: int, tip: int | None) -> FactPage:
        told = list(facts)
        if self.tells_twice:
            told += told
        return FactPage(tuple(reversed(told) if self.tells_backwards else told), CursorState(str(cursor)), tip)


@dataclass
class Transaction:
    txid: str
    outputs: tuple[tuple[str, int], ...]
    """Destination and amount of each."""
    seen_at: datetime
    height: int | None = None
    block: str = ""
    fate: str = "there"
    """Or `gone`: neither in a block nor in the mempool; or `spent`: other money was spent in its place."""
    went_at: datetime | None = None
    deepest: int = 0
    """How deep it ever was."""

    def fact(self, index: int, now: datetime) -> Fact:
        destination, amount = self.outputs[index]
        return Fact(
            reference=f"{self.txid}:{index}",
            destination=destination,
            amount_base=Base(amount),
            first_seen_at=self.seen_at,
            height=self.height,
            block_hash=self.block,
            is_present=self.fate == "there",
            is_conflicted=self.fate == "spent" and self.went_at is not None and now >= self.went_at + LEARNS,
        )


@dataclass
class ScriptedChain(ScriptedNetwork):
    """Tells what is in the mempool or lies above the cursor's block, and how those stand that it is asked for: as bitcoind does.

    What has gone it names only when asked.
    """

    tip: int = TIP
    highest: int = TIP
    branch: int = 0
    transactions: list[Transaction] = field(default_factory=list)
    is_verifying: bool = False
    """It reads its chain again, and knows nothing until then."""
    wallet: int = 0
    """The number of the wallet in use."""
    keeps_wallets: bool = True
    """It still has the wallets that are not in use."""
    issuers: dict[str, int] = field(default_factory=dict)
    """The wallet that issued each destination; the first one, where none is named."""

    def open_destination(self, request: DestinationRequest) -> Destination:
        self._must_know()
        destination = super().open_destination(request)
        self.issuers[destination.text] = self.wallet
        return replace(destination, wallet=str(self.wallet))

    def lookup(self, destinations: Sequence[str], wallets: Sequence[IssuingWallet] = ()) -> tuple[Fact, ...]:
        self._must_know()
        return tuple(fact for fact in super().lookup(destinations) if self._is_read(fact.destination))

    def _must_know(self) -> None:
        if self.is_verifying:
            raise NodeUnavailable("The node is still catching up with the chain.")

    def _is_read(self, destination: str) -> bool:
        return self.keeps_wallets or self.issuers.get(destination, 0) == self.wallet

    def _wallets(self, known: tuple[IssuingWallet, ...]) -> tuple[IssuingWallet, ...]:
        former = [replace(each, left_at=each.left_at or self.clock.now.isoformat()) for each in known if each.name != str(self.wallet)]
        current = IssuingWallet(str(self.wallet), f"wallet-{self.wallet}")
        return (current, *(replace(each, is_read=self.keeps_wallets) for each in former))

    def pay(self, *outputs: tuple[str, int]) -> Transaction:
        sent = Transaction(f"{self.code.lower()}{len(self.transactions):060x}", outputs, self.clock.now)
        self.transactions.append(sent)
        return sent

    def mine(self, blocks: int) -> None:
        """All that waits is in the first of them."""
        for sent in self.transactions:
            if sent.fate == "there" and sent.height is None:
                sent.height, sent.block = self.tip + 1, f"{self.tip + 1}-{self.branch}"
        self.tip += blocks
        self.highest = max(self.highest, self.tip)
        for sent in self.transactions:
            if sent.height is not None:
                sent.deepest = max(sent.deepest, self.tip - sent.height + 1)

    def drop(self, blocks: int, fate: str) -> None:
        """A reorg takes the newest blocks back, but none that ever was six deep. What was in them waits again, or its fate is another."""
        self.tip = max(self.tip - blocks, self.highest - 5)
        self.branch += 1
        for sent in self.transactions:
            if sent.height is not None and sent.height > self.tip:
                sent.height, sent.block = None, ""
                self.decide(sent, fate)

    def decide(self, sent: Transaction, fate: str) -> None:
        """Of a transaction that is in no block. What was spent elsewhere stays so, unless the other money is taken back."""
        if sent.height is None and sent.fate != fate and (sent.fate, fate) != ("spent", "gone"):
            sent.went_at = None if fate == "there" else sent.went_at or self.clock.now
            sent.fate = fate

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        self._must_know()
        since = int(cursor.value or 0)
        followed = {each.name for each in cursor.wallets if each.is_read}
        truth = {reference: fact for reference, fact in self.truth().items() if self._is_read(fact.destination)}

        def is_news(fact: Fact) -> bool:
            begins_anew = str(self.issuers.get(fact.destination, 0)) not in followed
            return fact.is_present and (begins_anew or fact.height is None or fact.height > since)

        news = {reference for reference, fact in truth.items() if is_news(fact)}
        told = (truth[reference] for reference in sorted(news | (set(unsettled) & set(truth))))
        page = self.page(told, self.tip - BEHIND, self.tip)
        return replace(page, cursor=replace(page.cursor, wallets=self._wallets(cursor.wallets)))

    def truth(self) -> dict[str, Fact]:
        facts = (sent.fact(index, self.clock.now) for sent in self.transactions for index in range(len(sent.outputs)))
        return {fact.reference: fact for fact in facts}


@dataclass
class ScriptedLedger(ScriptedNetwork):
    """XRP and Lightning: what is told is final, one number after the other. XRP tells the cursor's own number again."""

    facts: list[Fact] = field(default_factory=list)

    def pay(self, destination: str, amount: int) -> None:
        """Lightning takes a payment once."""
        is_lightning = self.code == "BTC-LN"
        if is_lightning and any(fact.destination == destination for fact in self.facts):
            return
        reference = destination if is_lightning else f"xrp{len(self.facts):061x}"
        height = None if is_lightning else len(self.facts) + 1
        self.facts.append(Fact(reference, destination, Base(amount), self.clock.now, height=height, is_safe=True))

    def facts_since(self, cursor: CursorState, unsettled: Collection[str]) -> FactPage:
        overlap = 0 if self.code == "BTC-LN" else 1
        told = self.facts[max(0, int(cursor.value or 0) - overlap) :]
        return self.page(told, len(self.facts), None if self.code == "BTC-LN" else len(self.facts))

    def truth(self) -> dict[str, Fact]:
        return {fact.reference: fact for fact in self.facts}
