"""Staff are told once, in their queue and by mail."""

import pytest

from accounts.tests.factories import StaffFactory
from cryptons.mail.models import Mail
from payments.alerts import alert
from payments.models import Alert
from payments.tests.factories import NOW

pytestmark = pytest.mark.django_db


def test_an_alert_is_written_once_for_its_key():
    alert("books BTC 2026-11-01", "The node has 1 sat less than the books.", at=NOW)
    alert("books BTC 2026-11-01", "The node has 2 sat less than the books.", at=NOW)
    row = Alert.objects.get()
    assert (row.text, row.created_at, row.closed_at) == ("The node has 1 sat less than the books.", NOW, None)
    assert not Mail.objects.exists()


def test_one_that_was_closed_stays_closed():
    alert("x", "Look.", at=NOW)
    Alert.objects.update(closed_at=NOW)
    alert("x", "Look.", at=NOW)
    assert Alert.objects.get().closed_at == NOW


def test_staff_get_a_mail_with_a_link_to_it(client, settings):
    settings.STAFF_EMAIL = "grace@example.com"
    alert("x", "The node has 1 sat < the books.\nPlease compare.", at=NOW)
    alert("x", "The node has 1 sat < the books.", at=NOW)

    mail = Mail.objects.get()
    link = f"{settings.PUBLIC_URL}/admin/payments/alert/{Alert.objects.get().pk}/change/"
    assert (mail.to, mail.subject) == ("grace@example.com", "Please look at this")
    assert mail.text == f"The node has 1 sat < the books.\nPlease compare.\n\n{link}\n"
    assert "1 sat &lt; the books.<br>Please compare." in mail.html
    assert f'href="{link}"' in mail.html
    client.force_login(StaffFactory())
    assert "Please compare." in client.get(link.removeprefix(settings.PUBLIC_URL)).text
