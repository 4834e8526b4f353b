from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0013_sandbox"),
    ]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="wallets",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="option",
            name="wallet",
            field=models.CharField(blank=True, max_length=200),
        ),
    ]
