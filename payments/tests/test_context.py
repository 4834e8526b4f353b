from payments.context import networks


def test_every_offered_network_is_named_in_the_context(rf, settings):
    settings.SANDBOX = True
    settings.BITCOIN_RPC_HOST = ""

    assert networks(rf.get("/"))["coin_names"] == "Bitcoin, Litecoin and XRP"

    settings.BITCOIN_RPC_HOST = "127.0.0.1"
    assert networks(rf.get("/"))["coin_names"] == "Bitcoin"
