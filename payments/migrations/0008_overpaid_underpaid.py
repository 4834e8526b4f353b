"""Flags and exceptions say `overpaid` and `underpaid`, in invoices and in the event log, which replays to them.

The log calls a decision of staff what the invoice calls it (`override`, once `mark`), and renames two kinds of decisions.
"""

from django.db import migrations

FLAGS = {'over': 'overpaid', 'partial': 'underpaid'}
KEYS = {'mark': 'override'}
TYPES = {'invoice.kept': 'invoice.dismissed', 'invoice.put_back': 'invoice.reopened'}
PAGE = 1000


def forwards(apps, schema_editor):
    rename(apps, FLAGS, KEYS, TYPES)


def backwards(apps, schema_editor):
    rename(apps, *({new: old for old, new in words.items()} for words in (FLAGS, KEYS, TYPES)))


def rename(apps, flags, keys, types):
    invoices, events = apps.get_model('payments', 'Invoice'), apps.get_model('events', 'Event')
    for invoice in in_pages(invoices.objects.exclude(flags='', exceptions='')):
        values = {name: frozenset(flags.get(flag, flag) for flag in getattr(invoice, name)) for name in ('flags', 'exceptions')}
        if any(getattr(invoice, name) != value for name, value in values.items()):
            invoices.objects.filter(pk=invoice.pk).update(**values)
    for event in in_pages(events.objects.filter(subject_type='invoice')):
        kind = types.get(event.type, event.type)
        data = {keys.get(key, key): value for key, value in event.data.items()}
        for name in ('flags', 'exceptions'):
            if data.get(name):
                data[name] = sorted(flags.get(flag, flag) for flag in data[name])
        if (kind, data) != (event.type, event.data):
            events.objects.filter(pk=event.pk).update(type=kind, data=data)


def in_pages(rows):
    """Yield the rows in the order of their ids: they are changed while they are read."""
    last = None
    while page := list((rows.filter(pk__gt=last) if last else rows).order_by('pk')[:PAGE]):
        yield from page
        last = page[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0001_initial'),
        ('payments', '0007_override'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
