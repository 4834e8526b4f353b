import pytest

from payments.networks.descriptors import DescriptorError, address_type, normalised

# BIP 32, test vector 1 (chain m), and the same key with the version bytes of SLIP-132.
XPUB = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
XPRV = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"


def versioned(version):
    from bitcoin.base58 import decode, encode
    from bitcoin.core import Hash

    body = bytes.fromhex(version) + decode(XPUB)[4:-4]
    return encode(body + Hash(body)[:4])


YPUB, ZPUB, TPUB, VPUB = (versioned(version) for version in ("049D7CB2", "04B24746", "043587CF", "045F1CF6"))


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
def test_keys_become_the_descriptor_that_their_prefix_means(key, network, expected):
    assert normalised(f" {key} ", network) == expected


@pytest.mark.parametrize(
    ("text", "network", "words"),
    [
        (XPRV, "mainnet", "private keys"),
        (f"wpkh({XPRV}/0/*)", "mainnet", "private keys"),
        (f"wpkh({XPUB}/0/*)", "regtest", "BITCOIN_NETWORK is 'regtest'"),
        (VPUB, "mainnet", "BITCOIN_NETWORK is 'mainnet'"),
        (f"wpkh({XPUB}/0/7)", "mainnet", "ranged"),
        (f"wpkh({ZPUB}/0/*)", "mainnet", "stands alone"),
        (XPUB[:-1] + "9", "mainnet", "wrong"),
        (XPUB[:60], "mainnet", "wrong or missing"),
        ("hello", "mainnet", "must be a public ranged descriptor"),
        ("addr(bc1qexample)", "mainnet", "must be a public ranged descriptor"),
    ],
)
def test_what_cannot_serve_is_refused_with_the_reason(text, network, words):
    with pytest.raises(DescriptorError, match=words):
        normalised(text, network)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (XPUB, "legacy"),
        (YPUB, "p2sh-segwit"),
        (ZPUB, "bech32"),
        (f"tr({XPUB}/0/*)", "bech32m"),
        (f"wsh(multi(2,{XPUB}/0/*,{XPUB}/1/*))", "bech32"),
        (f"sh(wsh(multi(1,{XPUB}/0/*)))", "p2sh-segwit"),
    ],
)
def test_the_wallet_is_asked_for_the_descriptors_own_kind_of_address(text, kind):
    assert address_type(text) == kind
