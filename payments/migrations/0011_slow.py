from datetime import timedelta

from django.conf import settings
from django.db import migrations, models


def hold_unconfirmed_payments(apps, schema_editor):
    """Let payments that wait in a mempool hold rate and stock as long as new ones do."""
    Payment = apps.get_model("payments", "Payment")
    waiting = Payment.objects.filter(is_present=True, is_final=False, is_safe=False, height__isnull=True)
    for payment in list(waiting.prefetch_related("option")):
        hold_ends_at = payment.first_seen_at + timedelta(minutes=settings.UNCONFIRMED_HOLD_MINUTES)
        Payment.objects.filter(pk=payment.pk).update(held_until=max(hold_ends_at, payment.option.expires_at))


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0010_node_clock"),
    ]

    operations = [
        migrations.AddField(
            model_name="payment",
            name="held_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="is_slow",
            field=models.BooleanField(default=False, verbose_name="slow"),
        ),
        migrations.AlterField(
            model_name="payment",
            name="late",
            field=models.CharField(
                blank=True,
                choices=[("", "Undecided"), ("accepted", "Accepted"), ("waiting", "Waiting"), ("slow", "Accepted although slow")],
                default="",
                max_length=8,
                verbose_name="late",
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["network", "held_until"], name="payment_held"),
        ),
        migrations.RunPython(hold_unconfirmed_payments, migrations.RunPython.noop),
    ]
