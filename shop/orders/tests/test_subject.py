"""The shop is registered as the subject of invoices, and payments alone get on without one."""

from payments import jobs
from payments.models import Invoice
from payments.subject import NoSubject, register, subject
from payments.tasks import CeleryJobs
from payments.tests.factories import NOW
from shop.orders.subject import OrderSubject


def test_the_shop_is_registered_as_the_subject_of_invoices():
    assert isinstance(subject(), OrderSubject)


def test_the_jobs_of_the_payments_run_as_celery_tasks():
    assert isinstance(jobs.jobs(), CeleryJobs)


def test_the_last_registered_subject_is_used(monkeypatch):
    monkeypatch.setattr("payments.subject._registered", [subject()])
    alone = NoSubject()
    register(alone)
    assert subject() is alone


def test_without_a_subject_invoices_are_wanted_and_have_no_differences():
    alone = NoSubject()
    assert alone.is_wanted(Invoice())
    alone.reserve_again(Invoice())
    assert list(alone.check(NOW, NOW)) == []
