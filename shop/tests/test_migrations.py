"""Who was mailed about an overpaid or underpaid order before the mails were renamed is not mailed again."""

from importlib import import_module

import pytest
from django.apps import apps

from cryptons.mail.models import Mail

keys = import_module("shop.migrations.0004_mail_keys")


@pytest.mark.django_db
def test_the_keys_of_mails_follow_their_new_names():
    for key in ("payment_over:1", "payment_over:1:2026-11-01", "payment_partial:2", "payment_late:3", "payment_overpaid:4"):
        Mail.objects.create(key=key, to="ada@example.org", subject="", text="", html="")

    keys.forwards(apps, None)

    renamed = ["payment_late:3", "payment_overpaid:1", "payment_overpaid:1:2026-11-01", "payment_overpaid:4", "payment_underpaid:2"]
    assert sorted(Mail.objects.values_list("key", flat=True)) == renamed
