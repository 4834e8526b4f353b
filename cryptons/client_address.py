"""The address that a request comes from, also behind proxies, and what counts as one client."""

from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.http import HttpRequest

IPV6_PREFIX = 64
"""A provider gives each customer at least this network, with as many addresses in it as they like."""


def client_ip(request: HttpRequest) -> str:
    """Return the client as limits count it: an IPv4 address, or the /64 network of an IPv6 address."""
    address = client_address(request)
    if address is None:
        return str(request.META.get("REMOTE_ADDR", ""))
    return str(ip_network((address, IPV6_PREFIX), strict=False)) if isinstance(address, IPv6Address) else str(address)


def client_address(request: HttpRequest) -> IPv4Address | IPv6Address | None:
    """Return the client's own address; None if the connection has none, as one over a socket file.

    It is the address that connected; behind a trusted proxy, the last one in X-Forwarded-For that is not a trusted proxy itself.
    """
    connected, forwarded = str(request.META.get("REMOTE_ADDR", "")), str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    return _named_client(tuple(settings.TRUSTED_PROXIES), connected, forwarded)


@lru_cache(4096)
def _named_client(proxies: tuple[str, ...], connected: str, forwarded_for: str) -> IPv4Address | IPv6Address | None:
    address = parse_address(connected)
    forwarded = [part for part in forwarded_for.split(",") if part.strip()]
    while forwarded and address is not None and _is_trusted(proxies, address):
        named = parse_address(forwarded.pop())
        if named is None:  # not an address: nothing to the left of it can be believed
            break
        address = named
    return address


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`; an IPv4 address that IPv6 maps is the IPv4 address.

    None if it is no address.
    """
    text = text.strip()
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        text, _, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
    if port and not (port.isascii() and port.isdigit()):
        return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_trusted_proxy(connected: str) -> bool:
    """Return whether an address that connected is one of TRUSTED_PROXIES."""
    return _is_named_in(tuple(settings.TRUSTED_PROXIES), connected)


@lru_cache(4096)
def _is_named_in(proxies: tuple[str, ...], connected: str) -> bool:
    address = parse_address(connected)
    return address is not None and _is_trusted(proxies, address)


def _is_trusted(proxies: tuple[str, ...], address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _trusted_networks(proxies))


@cache
def _trusted_networks(proxies: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(read_network(proxy) for proxy in proxies)


@lru_cache(4096)
def read_network(text: str) -> IPv4Network | IPv6Network:
    """Read an address or network; IPv4 addresses that IPv6 maps are the IPv4 addresses. Raises ValueError."""
    network = ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None else ip_network((mapped, max(0, network.prefixlen - 96)), strict=False)


@register()
def check_proxies(**_: object) -> list[CheckMessage]:
    """Warn of proxies that are not named, and of the whole internet as a proxy: then limits count all visitors as one, or none."""
    if any(network.prefixlen == 0 for network in _trusted_networks(tuple(settings.TRUSTED_PROXIES))):
        text = (
            "TRUSTED_PROXIES BELIEVES EVERYBODY: any client can name another address in X-Forwarded-For, so no limit holds. "
            "Name only the addresses of your proxies."
        )
        return [Warning(text, id="cryptons.W011")]
    speaks_tls = bool(getattr(settings, "TLS_CERTIFICATE", ""))
    if settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES and not speaks_tls:
        text = (
            "TRUSTED_PROXIES is empty although PUBLIC_URL is https: all visitors look like your proxy, share one limit, and lock one "
            "another out. Set it to the proxy's address, such as 127.0.0.1."
        )
        return [Warning(text, id="cryptons.W010")]
    return []
