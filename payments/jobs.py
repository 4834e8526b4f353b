"""Define the jobs that a changed row makes due. payments.tasks runs them; a sweep repeats those whose message was lost.

The code that changes the rows lies below the tasks, so it reaches them through this Protocol.
"""

from typing import Protocol
from uuid import UUID


class Jobs(Protocol):
    """Each method queues its job, for after the commit inside a transaction."""

    def follow_network(self, network: str) -> None:
        """Poll the network, because a hint says that it has news."""

    def close_options(self, invoice_id: UUID) -> None:
        """Close the options of an invoice that needs no more money, where a network can."""

    def send_payout(self, payout_id: UUID) -> None:
        """Send a payout that is due."""


class NoJobs(Jobs):
    """Queue nothing: the sweeps do all jobs."""

    def follow_network(self, network: str) -> None:
        pass

    def close_options(self, invoice_id: UUID) -> None:
        pass

    def send_payout(self, payout_id: UUID) -> None:
        pass


_registered: list[Jobs] = [NoJobs()]


def register(implementation: Jobs) -> None:
    _registered[:] = [implementation]


def jobs() -> Jobs:
    return _registered[0]
