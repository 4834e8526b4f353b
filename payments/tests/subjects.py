"""Subjects for tests of payments alone."""

from payments.errors import LateMoneyRefused
from payments.subject import NoSubject


class RecordingSubject(NoSubject):
    """Notes what it is told, and refuses when it is told to."""

    def __init__(self, *, refusal="", failure=None):
        self.refusal, self.failure = refusal, failure
        self.asked, self.verdicts = [], []

    def reserve_again(self, invoice):
        self.asked.append(invoice.pk)
        if self.refusal:
            raise LateMoneyRefused(self.refusal)

    def on_invoice(self, invoice, *, at):
        self.verdicts.append((invoice.status, invoice.flags))
        if self.failure:
            raise self.failure
