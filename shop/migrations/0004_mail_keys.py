"""The mails about overpaid and underpaid orders have new names. Their keys follow, so that no buyer gets one a second time."""

from django.db import migrations

NAMES = {'payment_over:': 'payment_overpaid:', 'payment_partial:': 'payment_underpaid:'}


def forwards(apps, schema_editor):
    rename(apps, NAMES)


def backwards(apps, schema_editor):
    rename(apps, {new: old for old, new in NAMES.items()})


def rename(apps, names):
    mails = apps.get_model('mail', 'Mail')
    for old, new in names.items():
        for pk, key in list(mails.objects.filter(key__startswith=old).values_list('pk', 'key')):
            mails.objects.filter(pk=pk).update(key=new + key.removeprefix(old))


class Migration(migrations.Migration):

    dependencies = [
        ('mail', '0002_unsent'),
        ('shop', '0003_order_language'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
