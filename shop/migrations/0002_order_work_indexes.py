from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shop", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["status", "on_hold"], name="order_work"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(condition=models.Q(("on_hold", True)), fields=["updated_at"], name="order_held"),
        ),
    ]
