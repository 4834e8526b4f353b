import runpy

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from cryptons.public_url import read_allowed_hosts, read_origin
from cryptons.tests.test_environment import ROOT

SETTINGS = str(ROOT / "cryptons" / "settings.py")


@pytest.mark.parametrize(
    ("given", "sent_as"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example./", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:8000/", "http://shop.example:8000"),
        ("http://[fd00::7]:8000", "http://[fd00::7]:8000"),
        ("http://[FD00:0:0::7]", "http://[fd00::7]"),
        ("https://müller.example", "https://xn--mller-kva.example"),
        ("https://straße.example:8443", "https://xn--strae-oqa.example:8443"),
    ],
)
def test_the_public_url_is_written_as_browsers_send_it(given, sent_as):
    assert str(read_origin("PUBLIC_URL", given)) == sent_as


@pytest.mark.parametrize(
    ("public_url", "host", "origin"),
    [
        ("http://[fd00::7]:8000", "[fd00::7]", "http://[fd00::7]:8000"),
        ("https://müller.example", "xn--mller-kva.example", "https://xn--mller-kva.example"),
    ],
)
def test_requests_to_an_ipv6_or_international_public_url_are_accepted(monkeypatch, public_url, host, origin):
    monkeypatch.setenv("PUBLIC_URL", public_url)

    settings = runpy.run_path(SETTINGS)

    assert validate_host(host, settings["ALLOWED_HOSTS"])
    assert settings["CSRF_TRUSTED_ORIGINS"] == [origin]


def test_a_server_on_an_ipv6_address_answers_to_it(monkeypatch):
    monkeypatch.setenv("HOST", "fd00::7")

    settings = runpy.run_path(SETTINGS)

    assert (settings["HOST"], settings["PUBLIC_URL"]) == ("fd00::7", "http://[fd00::7]:8000")
    assert validate_host("[fd00::7]", settings["ALLOWED_HOSTS"])


@pytest.mark.parametrize(
    "url", ["https://example.com/shop", "https://example.com/shop/", "https://example.com/?a=b", "https://example.com/#x"]
)
def test_a_public_url_with_a_path_is_refused_with_what_to_do(url):
    with pytest.raises(
        ImproperlyConfigured, match=r"^PUBLIC_URL must be an address without a path, such as https://example\.com, not .*host name"
    ):
        read_origin("PUBLIC_URL", url)


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://x", "https://", "https://a b", "https://u:p@x", "http://x:99999", "http://[", "http://a_b", "http://-.x"]
)
def test_a_public_url_that_is_none_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match=r"^PUBLIC_URL must be an address such as https://shop.example, not "):
        read_origin("PUBLIC_URL", url)


def test_allowed_hosts_may_be_international_ipv6_and_patterns():
    assert read_allowed_hosts(["Müller.example", "fd00::8", "[fd00::9]", ".example.com", "*"]) == [
        *("xn--mller-kva.example", "[fd00::8]", "[fd00::9]", ".example.com", "*")
    ]


@pytest.mark.parametrize("word", ["shop.example:8000", "https://shop.example", "a b"])
def test_an_allowed_host_with_a_port_or_scheme_is_refused_because_no_request_would_match(word):
    with pytest.raises(ImproperlyConfigured, match=r"^ALLOWED_HOSTS must list host names or addresses without a port"):
        read_allowed_hosts([word])


def test_origins_of_other_sites_are_read_in_the_same_way(monkeypatch):
    monkeypatch.setenv("CORS_ALLOWED_ORIGINS", "https://müller.example, http://[fd00::7]:3000/")
    assert runpy.run_path(SETTINGS)["CORS_ALLOWED_ORIGINS"] == ["https://xn--mller-kva.example", "http://[fd00::7]:3000"]


@pytest.mark.parametrize(
    ("given", "subdomains", "preload"),
    [({}, False, False), ({"HSTS_SUBDOMAINS": "true"}, True, False), ({"HSTS_SUBDOMAINS": "yes", "HSTS_PRELOAD": "yes"}, True, True)],
)
def test_https_speaks_for_its_own_host_and_for_others_only_if_the_merchant_says_so(monkeypatch, given, subdomains, preload):
    monkeypatch.setenv("PUBLIC_URL", "https://example.com")
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    settings = runpy.run_path(SETTINGS)

    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert (settings["SECURE_HSTS_INCLUDE_SUBDOMAINS"], settings["SECURE_HSTS_PRELOAD"]) == (subdomains, preload)


def test_preload_without_sub_domains_stops_the_start(monkeypatch):
    monkeypatch.setenv("HSTS_PRELOAD", "true")
    with pytest.raises(ImproperlyConfigured, match=r"^HSTS_SUBDOMAINS must be true when HSTS_PRELOAD is"):
        runpy.run_path(SETTINGS)
