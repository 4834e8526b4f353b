"""Which address a request comes from, and what limits count as one client."""

import pytest
from django.test import RequestFactory

from cryptons.client_address import check_proxies, client_ip

PROXY = ["192.0.2.0/24"]


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "expected"),
    [
        ([], "192.0.2.9", "203.0.113.1", "192.0.2.9"),
        (PROXY, "192.0.2.9", "203.0.113.1", "203.0.113.1"),
        (PROXY, "192.0.2.9", "198.51.100.7, 203.0.113.1", "203.0.113.1"),
        (PROXY, "192.0.2.9", "203.0.113.1, 192.0.2.7", "203.0.113.1"),
        (PROXY, "192.0.2.9", "", "192.0.2.9"),
    ],
)
def test_the_client_address_is_read_from_trusted_proxies_only(settings, proxies, remote, forwarded, expected):
    assert address(settings, proxies, remote, forwarded) == expected


@pytest.mark.parametrize("port", ["1", "40001", "65535"])
@pytest.mark.parametrize(
    ("forwarded", "expected"), [("203.0.113.1:{port}", "203.0.113.1"), ("[2001:db8:1:2::5]:{port}", "2001:db8:1:2::/64")]
)
def test_the_port_that_some_proxies_append_makes_no_other_client(settings, forwarded, expected, port):
    assert address(settings, PROXY, "192.0.2.9", forwarded.format(port=port)) == expected


@pytest.mark.parametrize(
    ("proxies", "remote"),
    [
        (["127.0.0.1"], "::ffff:127.0.0.1"),
        (["127.0.0.0/8"], "::ffff:7f00:1"),
        (["::ffff:127.0.0.1"], "127.0.0.1"),
        (["::ffff:127.0.0.0/104"], "127.0.0.1"),
        (["::1"], "::1"),
    ],
)
def test_a_proxy_on_the_same_machine_is_known_by_each_of_its_addresses(settings, proxies, remote):
    assert address(settings, proxies, remote, "203.0.113.1") == "203.0.113.1"


@pytest.mark.parametrize(
    "garbage",
    ["unknown", "203.0.113.1:port", "203.0.113.256", "1.2.3", "203.0.113.1 x", "[2001:db8::1]x", "😀", "203.0.113.1:²", "2001:db8"],
)
def test_what_is_no_address_is_not_counted_as_one(settings, garbage):
    assert address(settings, PROXY, "192.0.2.9", f"198.51.100.7, {garbage}") == "192.0.2.9"


@pytest.mark.parametrize("remote", ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:0db8:0001:0002:0:0:0:9%eth0"])
def test_all_addresses_of_a_customers_ipv6_network_are_one_client(settings, remote):
    assert address(settings, [], remote, "") == "2001:db8:1:2::/64"
    assert address(settings, PROXY, "192.0.2.9", remote) == "2001:db8:1:2::/64"


def test_ipv6_networks_of_two_customers_are_two_clients(settings):
    assert address(settings, [], "2001:db8:1:2::1", "") != address(settings, [], "2001:db8:1:3::1", "")


@pytest.mark.parametrize(
    ("url", "proxies", "certificate", "expected"),
    [
        ("https://shop.example", [], "", ["cryptons.W010"]),
        ("https://shop.example", [], "/etc/shop.pem", []),
        ("https://shop.example", ["127.0.0.1"], "", []),
        ("http://127.0.0.1:8000", [], "", []),
        ("https://shop.example", ["0.0.0.0/0"], "", ["cryptons.W011"]),
        ("http://127.0.0.1:8000", ["127.0.0.1", "::/0"], "", ["cryptons.W011"]),
    ],
)
def test_the_start_warns_of_proxies_that_are_not_named_or_are_everybody(settings, url, proxies, certificate, expected):
    settings.PUBLIC_URL, settings.TRUSTED_PROXIES, settings.TLS_CERTIFICATE = url, proxies, certificate
    assert [warning.id for warning in check_proxies()] == expected


def address(settings, proxies, remote, forwarded):
    settings.TRUSTED_PROXIES = proxies
    return client_ip(RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded))
