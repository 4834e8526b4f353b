"""Write the domains of accounts' addresses as people read them, so that a login finds them by either form."""

from django.db import migrations, models

import cryptons.email_domain
from cryptons.email_domain import readable_email


def write_readable(apps, schema_editor):
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    for user in users.filter(email__contains="xn--"):
        readable = readable_email(user.email).lower()
        if readable != user.email and not users.filter(email=readable).exists():
            verified = readable if user.verified_email == user.email else user.verified_email
            users.filter(pk=user.pk).update(email=readable, verified_email=verified)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_api_keys")]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="email",
            field=models.EmailField(
                max_length=254, unique=True, validators=[cryptons.email_domain.validate_mail_address], verbose_name="email address"
            ),
        ),
        migrations.RunPython(write_readable, migrations.RunPython.noop),
    ]
