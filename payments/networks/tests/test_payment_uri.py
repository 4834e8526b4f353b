"""What a wallet reads from a QR code."""

import pytest

from payments.networks.payment_uri import payment_uri, split_destination


@pytest.mark.parametrize(
    ("network", "destination", "amount", "lightning", "uri"),
    [
        ("BTC", "bc1qexample", 150_000, "", "bitcoin:bc1qexample?amount=0.0015&label=Kettle%20%26%20Thread"),
        ("BTC", "bc1qexample", 100_000_000, "lnbc1", "bitcoin:bc1qexample?amount=1&label=Kettle%20%26%20Thread&lightning=lnbc1"),
        ("LTC", "ltc1qexample", 1, "", "litecoin:ltc1qexample?amount=0.00000001&label=Kettle%20%26%20Thread"),
        ("BTC-LN", "ab" * 32, 1_000, "lnbc1", "lightning:lnbc1"),
        ("XRP", "rExample?dt=7", 12_500_000, "", "xrpl://rExample?dt=7&amount=12.5"),
    ],
)
def test_a_payment_uri_has_the_format_of_its_network(network, destination, amount, lightning, uri):
    assert payment_uri(network, destination, amount, label="Kettle & Thread", lightning=lightning) == uri


@pytest.mark.parametrize(
    ("destination", "parts"), [("rExample?dt=7", ("rExample", "7")), ("rExample", ("rExample", "")), ("bc1qexample", ("bc1qexample", ""))]
)
def test_a_destination_tag_is_split_from_its_address(destination, parts):
    assert split_destination(destination) == parts
