from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0006_labels'),
    ]

    operations = [
        migrations.RenameField(
            model_name='invoice',
            old_name='marked',
            new_name='override',
        ),
    ]
