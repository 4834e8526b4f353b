"""The shop is registered as the subject of invoices, and payments alone get on without one."""

from payments import jobs
from payments.models import Invoice
from payments.subject import NoSubject, register, subject
from payments.tasks import CeleryJobs
from payments.tests.factories import NOW
from shop.orders.subject import OrderSubject


def test_the_shop_answers_for_invoices():
    assert isinstance(subject(), OrderSubject)


def test_the_tasks_run_the_jobs():
    assert isinstance(jobs.jobs(), CeleryJobs)


def test_the_last_registered_subject_is_asked(monkeypatch):
    monkeypatch.setattr("payments.subject._registered", [subject()])
    alone = NoSubject()
    register(alone)
    assert subject() is alone


def test_an_invoice_that_belongs_to_nothing_is_wanted_and_can_be_delivered():
    alone = NoSubject()
    assert alone.is_wanted(Invoice())
    alone.reserve_again(Invoice())
    assert list(alone.check(NOW, NOW)) == []
