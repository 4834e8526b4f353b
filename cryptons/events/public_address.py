"""Find a receiver's address, and refuse those inside of a network: an endpoint must not be a way to what only this machine can reach."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import httpcore
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from cryptons.events.webhook_models import URL_LENGTH
from cryptons.public_url import host_name

NOT_PUBLIC = [
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carriers' NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # an IPv4 address in an IPv6 one, as are the next five
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "::ffff:0:0:0/96",
        "fec0::/10",  # once private
    )
]


class NotPublic(httpcore.ConnectError):
    """The host has an address that is not public."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether anybody on the internet can have this address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in NOT_PUBLIC if network.version == address.version)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses to connect to; a connection is made to one of these, and the name is not looked up again.

    Raises NotPublic if any of them is not public, unless WEBHOOK_PRIVATE_HOSTS names the host; ConnectError if it has none.
    """
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    if not is_private_allowed(host) and not all(is_public(ip_address(address)) for address in found):
        raise NotPublic(f"{host} has an address that is not public.")
    return found


def is_private_allowed(host: str) -> bool:
    return host.lower().strip("[]").rstrip(".") in [name.lower() for name in settings.WEBHOOK_PRIVATE_HOSTS]


def check_url(text: str) -> None:
    """Raise ValidationError for what cannot be an endpoint. A host name is looked up before each connection, and not here."""
    try:
        url = urlsplit(text)
        host, _port = host_name(url.hostname or ""), url.port
    except ValueError as error:
        raise ValidationError(_("Enter an address such as https://erp.example/hooks.")) from error
    is_open = url.scheme == "http" and is_private_allowed(host)
    if url.scheme != "https" and not is_open:
        raise ValidationError(_("The address must begin with https://."))
    if "@" in url.netloc or url.fragment or len(text) > URL_LENGTH or not text.isascii() or not text.isprintable() or " " in text:
        raise ValidationError(_("Enter an address without a user, a fragment (#) or spaces, of at most 500 characters."))
    literal = _as_address(host)
    if literal is not None and not is_public(literal) and not is_private_allowed(host):
        raise ValidationError(_("This address is not public."))


def _as_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
