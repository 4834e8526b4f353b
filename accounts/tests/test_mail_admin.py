"""Staff look at the mails that went out."""

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory
from cryptons.mail.models import Mail
from cryptons.mail.sending import send

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail():
    return Mail.objects.create(
        key="order-received:1", to="ada@example.com", subject="Your order", text="Thank you.", html="<p>Thank you.</p>"
    )


def test_staff_can_read_mails_and_send_them_again(client, mail):
    send([mail.pk], at=timezone.now())
    client.force_login(StaffFactory())

    assert b"Thank you." in client.get(f"/admin/mail/mail/{mail.pk}/change/").content
    client.post("/admin/mail/mail/", {"action": "send_again", "_selected_action": [str(mail.pk)]})

    mail.refresh_from_db()
    assert mail.sent_at is None
    assert mail.attempts == 0


def test_staff_without_permission_see_no_mails(client, mail):
    staff = StaffFactory(is_superuser=False)
    client.force_login(staff)
    assert client.get("/admin/mail/mail/").status_code == 403
    assert client.get(f"/admin/mail/mail/{mail.pk}/change/").status_code in (302, 403)

    staff.user_permissions.add(Permission.objects.get(codename="view_mail"))
    client.force_login(type(staff).objects.get(pk=staff.pk))
    assert client.get("/admin/mail/mail/").status_code == 200
    assert b"send_again" not in client.get("/admin/mail/mail/").content
