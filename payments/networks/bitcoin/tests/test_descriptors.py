import pytest

from cryptons.coins import BITCOIN, LITECOIN
from payments.networks.bitcoin.descriptors import DescriptorError, address_type, normalised

# BIP 32, test vector 1 (chain m), and the same key with the version bytes of SLIP-132.
XPUB = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"


def versioned(version):
    from bitcoin.base58 import decode, encode
    from bitcoin.core import Hash

    body = bytes.fromhex(version) + decode(XPUB)[4:-4]
    return encode(body + Hash(body)[:4])


YPUB, ZPUB, TPUB, VPUB = (versioned(version) for version in ("049D7CB2", "04B24746", "043587CF", "045F1CF6"))
LTUB, MTUB, TTUB = (versioned(version) for version in ("019DA462", "01B26EF6", "0436F6E1"))


@pytest.mark.parametrize(
    ("key", "network", "expected"),
    [
        (XPUB, "mainnet", f"pkh({XPUB}/0/*)"),
        (YPUB, "mainnet", f"sh(wpkh({XPUB}/0/*))"),
        (ZPUB, "mainnet", f"wpkh({XPUB}/0/*)"),
        (TPUB, "regtest", f"pkh({TPUB}/0/*)"),
        (VPUB, "signet", f"wpkh({TPUB}/0/*)"),
        (f"wpkh([d34db33f/84h/0h/0h]{XPUB}/0/*)", "mainnet", f"wpkh([d34db33f/84h/0h/0h]{XPUB}/0/*)"),
    ],
)
def test_an_extended_key_becomes_the_descriptor_of_its_prefix(key, network, expected):
    assert normalised(f" {key} ", network, BITCOIN) == expected


@pytest.mark.parametrize(
    ("text", "network", "words"),
    [
        (XPRV, "mainnet", "private keys"),
        (f"wpkh({XPRV}/0/*)", "mainnet", "private keys"),
        (f"wpkh({XPUB}/0/*)", "regtest", "BITCOIN_NETWORK is 'regtest'"),
        (VPUB, "mainnet", "BITCOIN_NETWORK is 'mainnet'"),
        (f"wpkh({XPUB}/0/7)", "mainnet", "BITCOIN_DESCRIPTOR must be ranged"),
        (f"wpkh({ZPUB}/0/*)", "mainnet", "stands alone"),
        (XPUB[:-1] + "9", "mainnet", "wrong"),
        (XPUB[:60], "mainnet", "wrong or missing"),
        ("hello", "mainnet", "must be a public ranged descriptor"),
        ("addr(bc1qexample)", "mainnet", "must be a public ranged descriptor"),
        (LTUB, "mainnet", "BITCOIN_DESCRIPTOR must be a public ranged descriptor"),
    ],
)
def test_an_unusable_descriptor_is_refused_with_the_reason(text, network, words):
    with pytest.raises(DescriptorError, match=words):
        normalised(text, network, BITCOIN)


@pytest.mark.parametrize(
    ("key", "network", "expected"),
    [
        (LTUB, "mainnet", f"pkh({XPUB}/0/*)"),
        (MTUB, "mainnet", f"sh(wpkh({XPUB}/0/*))"),
        (ZPUB, "mainnet", f"wpkh({XPUB}/0/*)"),
        (TTUB, "testnet", f"pkh({TPUB}/0/*)"),
        (VPUB, "regtest", f"wpkh({TPUB}/0/*)"),
        (f"sh(wpkh([d34db33f/49h/2h/0h]{XPUB}/0/*))", "mainnet", f"sh(wpkh([d34db33f/49h/2h/0h]{XPUB}/0/*))"),
        (f"wpkh({XPUB}/0/*)#abcdefgh", "mainnet", f"wpkh({XPUB}/0/*)#abcdefgh"),
    ],
)
def test_litecoin_accepts_its_own_extended_keys_and_those_of_bitcoin(key, network, expected):
    assert normalised(key, network, LITECOIN) == expected


@pytest.mark.parametrize(
    ("text", "network", "words"),
    [
        (versioned("019D9CFE"), "mainnet", "LITECOIN_DESCRIPTOR holds private keys"),
        ("T3yJXqMFTGMT3hMQMYwNvxzqpPkCGgGRNvGWXQPQ4PHzYbAbcdef", "mainnet", "LITECOIN_DESCRIPTOR holds private keys"),
        (LTUB, "regtest", "LITECOIN_NETWORK is 'regtest'"),
        (f"wpkh({LTUB}/0/*)", "mainnet", "begin with xpub or tpub"),
        (f"wsh(multi(1,{XPUB}/0/*,{XPUB}/1/*))", "mainnet", "The Litecoin node gives addresses of no other kind"),
        (f"tr({XPUB}/0/*)", "mainnet", "The Litecoin node gives addresses of no other kind"),
        (f"wpkh({XPUB}/0/7)", "mainnet", "LITECOIN_DESCRIPTOR must be ranged"),
        (MTUB[:-1] + "9", "mainnet", "LITECOIN_DESCRIPTOR is not a whole extended key"),
        ("hello", "mainnet", "LITECOIN_DESCRIPTOR must be a public ranged descriptor .* Ltub, Mtub"),
    ],
)
def test_an_unusable_litecoin_descriptor_is_refused_with_the_name_of_its_setting(text, network, words):
    with pytest.raises(DescriptorError, match=words):
        normalised(text, network, LITECOIN)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (XPUB, "legacy"),
        (YPUB, "p2sh-segwit"),
        (ZPUB, "bech32"),
        (f" {MTUB}", "p2sh-segwit"),
        (TTUB, "legacy"),
        (f"tr({XPUB}/0/*)", "bech32m"),
        (f"wsh(multi(2,{XPUB}/0/*,{XPUB}/1/*))", "bech32"),
        (f"sh(wsh(multi(1,{XPUB}/0/*)))", "p2sh-segwit"),
    ],
)
def test_the_address_type_follows_from_the_descriptor(text, kind):
    assert address_type(text) == kind
