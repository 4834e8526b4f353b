"""What a coin's entry says about it."""

from cryptons.coins import BITCOIN, COINS, LITECOIN, Chain, CoreCoin, configured_coin, node_settings

OLD = CoreCoin(
    code="OLD",
    name="Oldcoin",
    base_name="drip",
    dust_base=1,
    uri_scheme="oldcoin",
    sandbox_price="1.00",
    prefix="OLDCOIN",
    chains={"mainnet": Chain("main", 1), "regtest": Chain("regtest", 2)},
)
"""It has no segwit."""


def test_only_coins_with_segwit_have_bech32_prefixes():
    assert BITCOIN.bech32_prefixes == ("bc1", "tb1", "tb1", "bcrt1")
    assert LITECOIN.bech32_prefixes == ("ltc1", "tltc1", "rltc1", "ltcmweb1", "tmweb1")
    assert OLD.bech32_prefixes == ()


def test_a_coin_is_configured_when_the_host_of_its_node_is_set(settings):
    assert node_settings() == ["BITCOIN_RPC_HOST", "LITECOIN_RPC_HOST", "XRP_URL", "LND_HOST"]
    assert [configured_coin(code) for code in (*COINS, "BTC-LN")] == [None] * 4

    settings.LITECOIN_RPC_HOST = "127.0.0.1"

    assert [configured_coin(code) for code in (*COINS, "BTC-LN")] == [None, LITECOIN, None, None]
