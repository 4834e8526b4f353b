import pytest

from cryptons.host_address import host_and_port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lnd.example", "lnd.example:10009"),
        ("lnd.example:443", "lnd.example:443"),
        ("127.0.0.1", "127.0.0.1:10009"),
        ("::1", "[::1]:10009"),
        ("[::1]", "[::1]:10009"),
        ("[::1]:10010", "[::1]:10010"),
        ("fd00::7", "[fd00::7]:10009"),
        ("https://127.0.0.1:10010", "127.0.0.1:10010"),
        ("https://lnd.example/", "lnd.example:10009"),
        ("https://[::1]:10010/", "[::1]:10010"),
        (" lnd.example ", "lnd.example:10009"),
    ],
)
def test_an_address_with_or_without_a_port_a_scheme_or_brackets_is_understood(text, address):
    assert host_and_port(text, 10009) == address
