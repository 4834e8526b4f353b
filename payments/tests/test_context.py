from payments.context import networks


def test_every_network_that_is_offered_is_named(rf, settings):
    settings.SANDBOX = True
    settings.BITCOIN_RPC_HOST = ""

    assert networks(rf.get("/"))["coin_names"] == "Bitcoin, Litecoin and XRP"

    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    assert networks(rf.get("/"))["coin_names"] == "Bitcoin"
