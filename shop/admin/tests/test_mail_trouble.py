"""Mails that cannot be sent are in the to-do of those who may read mails."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import UserFactory
from cryptons.mail.models import LATE, Mail

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "Mails that cannot be sent"


def unsent(key, *, age, **more):
    return Mail.objects.create(key=key, **{"to": "ada@example.com", "subject": f"Mail {key}", "created_at": timezone.now() - age, **more})


def test_mails_that_cannot_be_sent_are_counted_and_listed(client, grace):
    unsent("new", age=timedelta(0))
    unsent("emptied", age=LATE * 2, to="", next_try_at=None)
    assert TASK not in client.get("/admin/").text
    unsent("late", age=LATE * 2)
    page = client.get("/admin/").text
    assert f"{TASK} <strong>1</strong>" in " ".join(page.split())
    listed = client.get("/admin/mail/mail/?sent_at__isnull=True")
    assert "Mail late" in listed.text


def test_staff_who_may_not_read_mails_do_not_see_them(client):
    packer = UserFactory(is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(packer)
    unsent("late", age=LATE * 2)
    assert TASK not in client.get("/admin/").text
