"""Read the shop's public address, host names and origins as browsers send them: in ASCII, in lower case, IPv6 in brackets."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

import idna
from django.core.exceptions import ImproperlyConfigured

DEFAULT_PORTS = {"http": 80, "https": 443}
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
PLAIN_HOST = re.compile(rf"{LABEL}(?:\.{LABEL})*")


@dataclass(frozen=True)
class PublicUrl:
    scheme: str
    host: str
    """As in the Host header, without a port: `shop.example`, `xn--mller-kva.example`, `[fd00::7]`."""
    port: int

    def __str__(self) -> str:
        """Write what a browser sends as the Origin."""
        return f"{self.scheme}://{self.host}" + ("" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def mail_domain(self) -> str:
        """The host as the domain of a mail address."""
        return self.host.replace("[", "[IPv6:")


def host_name(text: str) -> str:
    """Return the host as browsers send it. Raises ValueError if it is no host name or address."""
    if ":" in text:
        try:
            return f"[{IPv6Address(text.removeprefix('[').removesuffix(']')).compressed}]"
        except AddressValueError as error:
            raise ValueError(str(error)) from error
    host = text.lower().removesuffix(".")
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode()
    if not PLAIN_HOST.fullmatch(host):
        raise ValueError("no such host name is possible")
    return host


def read_origin(name: str, text: str) -> PublicUrl:
    """Read `https://shop.example:8443`. Raises ImproperlyConfigured with a sentence that names the setting `name`."""
    try:
        url = urlsplit(text.strip())
        if url.scheme not in DEFAULT_PORTS or not url.hostname or "@" in url.netloc or "%" in url.netloc:
            raise ValueError
        origin = PublicUrl(url.scheme, host_name(url.hostname), url.port or DEFAULT_PORTS[url.scheme])
    except ValueError as error:  # also idna's
        raise ImproperlyConfigured(f"{name} must be an address such as https://shop.example, not {text!r}.") from error
    if url.path.strip("/") or url.query or url.fragment:
        raise ImproperlyConfigured(
            f"{name} must be an address without a path, such as {origin}, not {text!r}: the shop cannot be served below a path. "
            "Give it a host name of its own."
        )
    return origin


def read_allowed_hosts(words: list[str]) -> list[str]:
    """Read ALLOWED_HOSTS: names and addresses without a port, `.example.com` for all below it, `*` for all."""
    hosts = []
    for word in words:
        dot = "." if word.startswith(".") else ""
        try:
            hosts.append(word if word == "*" else dot + host_name(word.removeprefix(dot)))
        except ValueError as error:
            raise ImproperlyConfigured(
                f"ALLOWED_HOSTS must list host names or addresses without a port, such as shop.example or [fd00::7], not {word!r}."
            ) from error
    return hosts
