"""Which addresses are refused, however they are written, and that a connection goes to the address that was checked."""

import socket
from ipaddress import ip_address

import pytest
from django.core.exceptions import ValidationError

from cryptons.events.public_address import NotPublic, check_url, is_public, resolve


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.254",
        "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "fe80::1", "fe80::1%1", "fc00::1", "fd00::7",
        "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "100::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_for_everybody_is_refused(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "100.128.0.1", "172.32.0.1"])
def test_a_public_address_is_taken(text):
    assert is_public(ip_address(text))


def test_a_host_is_refused_if_one_of_its_addresses_is_private(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr("cryptons.events.public_address.socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(NotPublic):
        resolve("erp.example", 443)
    del found[1]
    assert resolve("erp.example", 443) == ["1.1.1.1"]


@pytest.mark.parametrize(
    "url",
    [
        "http://erp.example/", "ftp://erp.example/", "https://", "erp.example", "https://ada:x@erp.example/", "https://erp.example/#part",
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://erp.example:99999/", "https://erp.example/a b",
        "https://erp.example/\n", "https://erp.example/" + "x" * 500,
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_an_endpoint_is_refused(url):
    with pytest.raises(ValidationError):
        check_url(url)


def test_a_host_of_the_setting_may_be_private_and_without_tls(settings):
    settings.WEBHOOK_PRIVATE_HOSTS = ["ERP.lan", "10.0.0.1"]
    check_url("http://erp.lan:8080/hooks")
    check_url("http://10.0.0.1/")
    check_url("https://erp.example/hooks?shop=1")
