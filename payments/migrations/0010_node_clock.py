from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0009_confirmed_label"),
    ]

    operations = [
        migrations.AddField(
            model_name="cursor",
            name="clock_off_seconds",
            field=models.IntegerField(default=0),
        ),
    ]
