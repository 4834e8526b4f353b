from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cryptons.email_domain import ascii_email, validate_mail_address
from cryptons.mail.sending import send_unrecorded
from cryptons.mail.trouble import trouble_words
from cryptons.shop_identity import mail_sender, shop_name


class Command(BaseCommand):
    help = "Send a test mail by EMAIL_URL to an address, or to those of STAFF_EMAIL, and say what is wrong when it cannot be sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", nargs="?", help="Default: STAFF_EMAIL.")

    def handle(self, **options: Any) -> None:
        addresses = [options["address"]] if options["address"] else settings.STAFF_EMAIL
        server = settings.MAIL_SERVER
        if server is None:
            raise CommandError(f"EMAIL_URL is not set, so mails go to nobody: they are files in {settings.MAIL_DIR}.")
        if not addresses:
            raise CommandError("Name an address, or set STAFF_EMAIL.")
        for address in addresses:
            try:
                validate_mail_address(address)
                send_unrecorded(
                    f"Test mail of {shop_name()}", f"The mails of {settings.PUBLIC_URL} arrive here.\n", to=[ascii_email(address)]
                )
            except ValidationError as error:
                raise CommandError(f"{address} is no mail address.") from error
            except OSError as error:
                raise CommandError(trouble_words(error, server)) from error
            self.stdout.write(f"Sent to {address} from {mail_sender()} by {server.host}:{server.port}. Look into the spam folder, too.")
