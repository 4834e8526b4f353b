"""Mail addresses with a domain of any script. People read and type `bücher.example`, mail servers know it as `xn--bcher-kva.example`."""

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, validate_email
from django.utils.translation import gettext as _

from cryptons.public_url import host_name


def readable_email(address: str) -> str:
    """Return the address with its domain as people read it, so that both forms of one domain are equal.

    What has no such domain comes back as it is: `validate_mail_address` says what is wrong with it.
    """
    user, _at, domain = address.rpartition("@")
    if domain.isascii() and "xn--" not in domain.lower():
        return address
    try:
        return f"{user}@{idna.decode(host_name(domain))}"
    except ValueError:  # also idna's
        return address


def ascii_email(address: str) -> str:
    """Return the address as a mail server takes it. Raises ValueError if its domain is not possible."""
    user, _at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{user}@{host_name(domain)}"


def validate_mail_address(address: str) -> None:
    """Raise ValidationError for an address to which no mail can be sent: many mail servers know only ASCII before the @."""
    user, _at, domain = address.rpartition("@")
    if domain and not user.isascii():
        raise ValidationError(_("Before the @, only the letters a to z, digits and signs such as . _ + - are possible."))
    try:
        validate_email(ascii_email(address))
    except ValueError as error:  # also idna's
        raise ValidationError(EmailValidator.message, code=EmailValidator.code) from error
