"""The wallet that the shop watches: made from the descriptor, loaded after a restart, checked at the start."""

import threading

import pytest

from cryptons.coins import BITCOIN, LITECOIN
from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.bitcoin import wallet as wallets
from payments.networks.bitcoin.tests.conftest import DESCRIPTOR, KEY
from payments.networks.bitcoin.wallet import describe_wallet, new_address, open_payout_wallet, open_wallet, wallet_problem
from tests.fake_bitcoind import RpcError

SECRET = KEY.replace("tpub", "tprv")


def use_wallet():
    with open_wallet(BITCOIN) as wallet:
        return wallet.call("getwalletinfo")


@pytest.fixture
def quick(monkeypatch):
    """Nobody waits long for another who loads the wallet."""
    monkeypatch.setattr(wallets, "PAUSE_SECONDS", 0.01)


# --- made, loaded ---


def test_a_wallet_that_is_missing_is_made_watch_only_from_the_descriptor(bitcoind):
    info = use_wallet()

    made = bitcoind.wallet("shop")
    assert (info["private_keys_enabled"], made.has_keys, made.load_on_startup) == (False, False, True)
    assert [(each.text.partition("#")[0], each.last) for each in made.descriptors] == [(DESCRIPTOR, 999)]


def test_a_wallet_that_is_loaded_is_used_as_it_is(bitcoind):
    use_wallet()
    bitcoind.asked.clear()
    use_wallet()
    assert bitcoind.methods() == ["getwalletinfo", "getwalletinfo"]


def test_a_wallet_that_a_restart_unloaded_is_loaded_again(bitcoind):
    use_wallet()
    bitcoind.wallet("shop").load_on_startup = False
    with bitcoind.away():
        pass

    use_wallet()

    assert bitcoind.wallet("shop").load_on_startup
    assert bitcoind.methods().count("createwallet") == 1


def test_a_wallets_name_may_hold_anything(bitcoind, settings):
    settings.BITCOIN_WALLET = "käsé/50% & more"
    use_wallet()
    assert "käsé/50% & more" in bitcoind.node.wallets


def test_a_wallet_that_another_process_is_loading_is_waited_for(bitcoind, quick):
    use_wallet()
    bitcoind.wallet("shop").is_loaded = False
    answer = bitcoind.answer

    def loaded_by_another(wallet, method, params):
        if method == "loadwallet":
            bitcoind.wallet("shop").is_loaded = True
        return answer(wallet, method, params)

    bitcoind.answer = loaded_by_another
    assert use_wallet()


def test_a_wallet_that_is_never_loaded_is_given_up(bitcoind, quick):
    use_wallet()
    bitcoind.fault = lambda method: {"getwalletinfo": -18, "loadwallet": -35}.get(method, "")
    with pytest.raises(NodeUnavailable, match="still loading its wallet"):
        use_wallet()


def test_a_wallet_that_another_process_makes_at_the_same_moment_is_used(bitcoind, quick):
    answer = bitcoind.answer

    def made_by_another(wallet, method, params):
        if method == "createwallet":
            answer(wallet, method, params)
        return answer(wallet, method, params)

    bitcoind.answer = made_by_another
    assert use_wallet()


def test_two_processes_that_need_the_wallet_at_once_make_it_once(bitcoind, settings):
    failures = []

    def use():
        try:
            use_wallet()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(bitcoind.wallet("shop").descriptors) == 1


def test_a_wallet_that_cannot_be_loaded_is_unavailable(bitcoind):
    bitcoind.fault = lambda method: -4 if method == "loadwallet" else ""
    with pytest.raises(NodeUnavailable, match="cannot load the wallet 'shop': error -4"):
        use_wallet()


def test_a_wallet_that_cannot_be_made_is_refused(bitcoind):
    bitcoind.fault = lambda method: -4 if method == "createwallet" else ""
    with pytest.raises(NodeRejected, match="cannot make the wallet 'shop': error -4"):
        use_wallet()


def test_without_a_descriptor_no_wallet_is_made(bitcoind, settings):
    settings.BITCOIN_DESCRIPTOR = ""
    with pytest.raises(NodeRejected, match=r"has no wallet 'shop'. Set BITCOIN_DESCRIPTOR"):
        use_wallet()


@pytest.mark.parametrize(
    ("descriptor", "says"),
    [
        (f"wpkh({SECRET}/0/*)", "holds private keys"),
        (f"wpkh({KEY}/0/7)", "must be ranged"),
        ("wpkh(nonsense)", "must be a public ranged descriptor"),
        (f"wpkh({KEY}/0/*)#aaaaaaaa", "cannot read BITCOIN_DESCRIPTOR"),
    ],
)
def test_a_descriptor_that_cannot_serve_is_refused_in_words(bitcoind, settings, descriptor, says):
    settings.BITCOIN_DESCRIPTOR = descriptor
    with pytest.raises(NodeRejected, match=says):
        use_wallet()
    assert "shop" not in bitcoind.node.wallets


@pytest.mark.parametrize(("field", "value", "says"), [("hasprivatekeys", True, "holds private keys"), ("isrange", False, "must be ranged")])
def test_what_the_node_finds_in_a_descriptor_is_believed(bitcoind, field, value, says):
    answer = bitcoind.answer
    bitcoind.answer = lambda wallet, method, params: (
        {**answer(wallet, method, params), field: value} if method == "getdescriptorinfo" else answer(wallet, method, params)
    )
    with pytest.raises(NodeRejected, match=says):
        use_wallet()


def test_a_descriptor_that_the_node_will_not_watch_is_refused(bitcoind):
    answer = bitcoind.answer
    objection = [{"success": False, "error": {"code": -4, "message": "Wallet is currently rescanning."}}]
    bitcoind.answer = lambda wallet, method, params: objection if method == "importdescriptors" else answer(wallet, method, params)
    with pytest.raises(NodeRejected, match="refuses BITCOIN_DESCRIPTOR: Wallet is currently rescanning"):
        use_wallet()


def test_another_error_than_a_missing_wallet_is_passed_on(bitcoind):
    bitcoind.fault = -32603
    with pytest.raises(NodeRejected, match="refuses: error -32603"):
        use_wallet()


def test_an_answer_without_what_the_caller_reads_is_unavailable(bitcoind):
    with pytest.raises(NodeUnavailable, match=r"cannot be understood \(KeyError"), open_wallet(BITCOIN) as wallet:
        wallet.call("getwalletinfo")["nonsense"]


# --- addresses ---


@pytest.mark.parametrize(("descriptor", "kind"), [(DESCRIPTOR, "bech32"), (f"pkh({KEY}/0/*)", "legacy"), (f"tr({KEY}/0/*)", "bech32m")])
def test_addresses_are_of_the_descriptors_kind(bitcoind, settings, descriptor, kind):
    settings.BITCOIN_DESCRIPTOR = descriptor
    with open_wallet(BITCOIN) as wallet:
        assert new_address(wallet, "order_1")
    assert bitcoind.asked[-1] == ("shop", "getnewaddress", ["order_1", kind])


def test_a_wallet_of_staffs_own_gives_native_segwit_addresses(bitcoind, settings):
    settings.BITCOIN_WALLET, settings.BITCOIN_DESCRIPTOR = "buyers", ""
    with open_wallet(BITCOIN) as wallet:
        assert new_address(wallet, "order_1").startswith("bcrt1q")


def test_an_address_that_the_wallet_cannot_give_is_refused(bitcoind):
    bitcoind.fault = lambda method: -12 if method == "getnewaddress" else ""
    with pytest.raises(NodeRejected, match="refuses: error -12"), open_wallet(BITCOIN) as wallet:
        new_address(wallet, "order_1")


# --- words for staff ---


def test_the_addresses_given_out_are_counted_for_staff(bitcoind):
    with open_wallet(BITCOIN) as wallet:
        assert describe_wallet(wallet) == "watch-only, 0 addresses given out"
        for number in range(1200):
            bitcoind.wallet("shop").new_script(str(number), "bech32")
        assert describe_wallet(wallet) == "watch-only, 1,200 addresses given out"


def test_a_wallet_with_keys_is_named_so(bitcoind, settings):
    settings.BITCOIN_WALLET = "buyers"
    with open_wallet(BITCOIN) as wallet:
        assert describe_wallet(wallet).startswith("with private keys, ")


# --- checked at the start ---


def test_a_watch_only_wallet_on_the_right_chain_has_no_problem(bitcoind):
    assert wallet_problem(BITCOIN) == ""


def test_a_wallet_with_keys_must_not_serve_on_the_main_chain(bitcoind, settings):
    settings.BITCOIN_WALLET, settings.BITCOIN_DESCRIPTOR, settings.BITCOIN_NETWORK = "buyers", "", "mainnet"
    bitcoind.dialect.chain = "main"
    settings.DEBUG = False
    assert "holds private keys" in wallet_problem(BITCOIN)
    settings.DEBUG = True
    assert wallet_problem(BITCOIN) == ""


def test_a_wallet_of_another_descriptor_must_not_serve(bitcoind, settings):
    use_wallet()
    settings.BITCOIN_DESCRIPTOR = f"wpkh({KEY}/1/*)"
    assert "was made from another descriptor than BITCOIN_DESCRIPTOR" in wallet_problem(BITCOIN)


def test_a_wallet_that_was_made_and_never_told_what_to_watch_is_told_now(bitcoind):
    bitcoind.node.createwallet("shop", True, True)
    assert wallet_problem(BITCOIN) == ""
    assert [each.text.partition("#")[0] for each in bitcoind.wallet("shop").descriptors] == [DESCRIPTOR]


# --- the wallet that pays out ---


def test_without_a_wallet_of_its_own_payouts_come_from_the_shops(bitcoind):
    with open_payout_wallet(BITCOIN) as wallet:
        assert wallet.call("getwalletinfo")["walletname"] == "shop"


def test_the_payout_wallet_is_loaded_when_it_is_not(bitcoind, settings):
    settings.BITCOIN_PAYOUT_WALLET = "buyers"
    bitcoind.wallet("buyers").is_loaded = False
    with open_payout_wallet(BITCOIN) as wallet:
        assert wallet.call("getwalletinfo")["private_keys_enabled"]


def test_a_payout_wallet_that_does_not_exist_is_refused_and_never_made(bitcoind, settings):
    settings.BITCOIN_PAYOUT_WALLET = "nowhere"
    with pytest.raises(NodeRejected, match="cannot load the wallet of BITCOIN_PAYOUT_WALLET"), open_payout_wallet(BITCOIN):
        pass
    assert "nowhere" not in bitcoind.node.wallets


def test_a_payout_wallet_that_another_process_is_loading_is_waited_for(bitcoind, settings, quick):
    settings.BITCOIN_PAYOUT_WALLET = "buyers"
    bitcoind.wallet("buyers").is_loaded = False
    answer = bitcoind.answer

    def loaded_by_another(wallet, method, params):
        if method == "loadwallet":
            bitcoind.wallet("buyers").is_loaded = True
        return answer(wallet, method, params)

    bitcoind.answer = loaded_by_another
    with open_payout_wallet(BITCOIN) as wallet:
        assert wallet.call("getwalletinfo")


# --- litecoind, which keeps a pool of keys ---


def use_litecoin():
    with open_wallet(LITECOIN) as wallet:
        return new_address(wallet, "order_1")


def test_a_litecoin_wallet_is_filled_with_the_descriptors_keys(litecoind):
    assert use_litecoin().startswith("rltc1q")

    made = litecoind.wallet("shop")
    assert (made.has_descriptors, made.has_keys, len(made.scripts), len(made.pool)) == (False, False, 1000, 999)


def test_a_litecoin_wallet_whose_pool_is_empty_is_filled_with_the_next_keys(litecoind):
    first = use_litecoin()
    litecoind.wallet("shop").pool.clear()

    second = use_litecoin()

    assert second != first
    assert (len(litecoind.wallet("shop").scripts), len(litecoind.wallet("shop").pool)) == (2000, 999)


def test_another_failure_of_a_litecoin_address_fills_no_pool(litecoind):
    use_litecoin()
    litecoind.fault = lambda method: -32603 if method == "getnewaddress" else ""
    with pytest.raises(NodeRejected, match="The Litecoin node refuses: error -32603"):
        use_litecoin()
    assert litecoind.methods().count("importmulti") == 1


def test_a_litecoin_wallet_keeps_no_count_of_its_addresses(litecoind):
    with open_wallet(LITECOIN) as wallet:
        assert describe_wallet(wallet) == "watch-only"


def test_a_litecoin_wallet_is_known_by_its_addresses(litecoind, settings):
    assert wallet_problem(LITECOIN) == ""
    use_litecoin()
    assert wallet_problem(LITECOIN) == ""
    settings.LITECOIN_DESCRIPTOR = f"wpkh({KEY}/1/*)"
    assert "was made from another descriptor than LITECOIN_DESCRIPTOR" in wallet_problem(LITECOIN)


def test_a_litecoin_wallet_that_is_loaded_at_the_same_moment_is_known_by_the_words(litecoind, quick):
    use_litecoin()
    litecoind.wallet("shop").is_loaded = False
    answer = litecoind.answer

    def loaded_by_another(wallet, method, params):
        if method == "loadwallet":
            litecoind.wallet("shop").is_loaded = True
            raise RpcError(-4, "Wallet file verification failed. Refusing to load database. Data file 'wallet.dat' is already loaded.")
        return answer(wallet, method, params)

    litecoind.answer = loaded_by_another
    assert use_litecoin()


def test_nobody_waits_for_a_wallet_longer_than_a_few_seconds():
    assert wallets.PAUSE_SECONDS * wallets.LOOKS <= 3
