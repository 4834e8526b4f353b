from django.db import migrations, models

from cryptons.coins import COINS, CoreCoin
from payments.networks.address_format import is_address


def mark_invoices_of_the_sandbox(apps, schema_editor):
    """Mark the invoices whose destination only the sandbox gives out: it has no valid checksum, or the sandbox knows a payment to it."""
    Invoice, Option, SandboxTransaction = (apps.get_model("payments", name) for name in ("Invoice", "Option", "SandboxTransaction"))
    if not SandboxTransaction.objects.exists() and not apps.get_model("payments", "SandboxChain").objects.exists():
        return  # the sandbox never ran here
    paid = set(SandboxTransaction.objects.values_list("destination", flat=True))
    found = set()
    for network, destination, invoice_id in Option.objects.filter(network__in=COINS).values_list("network", "destination", "invoice_id"):
        if destination in paid or not _is_real(COINS[network], destination):
            found.add(invoice_id)
    ids = sorted(found)
    for start in range(0, len(ids), 500):
        Invoice.objects.filter(pk__in=ids[start : start + 500]).update(is_sandbox=True)


def _is_real(coin, destination):
    if isinstance(coin, CoreCoin):
        return is_address(coin, destination)
    from xrpl.core.addresscodec import is_valid_classic_address  # each start reads the migrations, and this would take half a second

    return is_valid_classic_address(destination.partition("?")[0])


class Migration(migrations.Migration):

    dependencies = [
        ("payments", "0012_payout_blocks"),
    ]

    operations = [
        migrations.AddField(
            model_name="invoice",
            name="is_sandbox",
            field=models.BooleanField(default=False, verbose_name="play money"),
        ),
        migrations.AddField(
            model_name="invoice",
            name="sandbox_closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(condition=models.Q(("is_sandbox", True)), fields=["id"], name="invoice_sandbox"),
        ),
        migrations.RunPython(mark_invoices_of_the_sandbox, migrations.RunPython.noop),
    ]
