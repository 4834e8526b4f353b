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
    """Make the wait for a wallet that another process loads short."""
    monkeypatch.setattr(wallets, "PAUSE_SECONDS", 0.01)


# --- made, loaded ---


def test_a_missing_wallet_is_created_watch_only_from_the_descriptor(bitcoind):
    info = use_wallet()

    made = bitcoind.wallet("shop")
    assert (info["private_keys_enabled"], made.has_keys, made.load_on_startup) == (False, False, True)
    assert [(each.text.partition("#")[0], each.last) for each in made.descriptors] == [(DESCRIPTOR, 999)]


@pytest.mark.parametrize("prefix", ["BITCOIN", "LITECOIN"])
@pytest.mark.parametrize(("first", "then"), [("'", "h"), ("h", "'"), ("'", "'")])
def test_apostrophe_and_h_in_a_descriptor_mean_the_same(bitcoind, litecoind, settings, prefix, first, then):
    coin = {"BITCOIN": BITCOIN, "LITECOIN": LITECOIN}[prefix]
    for mark in (first, then):
        setattr(settings, f"{prefix}_DESCRIPTOR", f"wpkh([e40a6859/84{mark}/1{mark}/0{mark}]{KEY}/0/*)")
        assert wallet_problem(coin) == ""
        assert wallet_problem(coin) == ""


def test_a_loaded_wallet_is_used_without_loading_it_again(bitcoind):
    use_wallet()
    bitcoind.asked.clear()
    use_wallet()
    assert bitcoind.methods() == ["getwalletinfo", "getwalletinfo"]


def test_a_wallet_that_is_not_loaded_after_a_restart_is_loaded_again(bitcoind):
    use_wallet()
    bitcoind.wallet("shop").load_on_startup = False
    with bitcoind.away():
        pass

    use_wallet()

    assert bitcoind.wallet("shop").load_on_startup
    assert bitcoind.methods().count("createwallet") == 1


def test_the_name_of_a_wallet_may_contain_any_characters(bitcoind, settings):
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


def test_a_wallet_that_never_finishes_loading_is_reported_as_unavailable(bitcoind, quick):
    use_wallet()
    bitcoind.fault = lambda method: {"getwalletinfo": -18, "loadwallet": -35}.get(method, "")
    with pytest.raises(NodeUnavailable, match="still loading its wallet"):
        use_wallet()


def test_a_wallet_that_another_process_creates_at_the_same_moment_is_used(bitcoind, quick):
    answer = bitcoind.answer

    def made_by_another(wallet, method, params):
        if method == "createwallet":
            answer(wallet, method, params)
        return answer(wallet, method, params)

    bitcoind.answer = made_by_another
    assert use_wallet()


def test_several_threads_that_need_the_wallet_at_once_create_it_once(bitcoind, settings):
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


def test_a_wallet_that_cannot_be_created_is_rejected(bitcoind):
    bitcoind.fault = lambda method: -4 if method == "createwallet" else ""
    with pytest.raises(NodeRejected, match="cannot make the wallet 'shop': error -4"):
        use_wallet()


def test_no_wallet_is_created_without_a_descriptor(bitcoind, settings):
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
def test_an_unusable_descriptor_is_refused_with_the_reason(bitcoind, settings, descriptor, says):
    settings.BITCOIN_DESCRIPTOR = descriptor
    with pytest.raises(NodeRejected, match=says):
        use_wallet()
    assert "shop" not in bitcoind.node.wallets


@pytest.mark.parametrize(("field", "value", "says"), [("hasprivatekeys", True, "holds private keys"), ("isrange", False, "must be ranged")])
def test_a_descriptor_with_a_property_that_the_node_reports_as_unsafe_is_refused(bitcoind, field, value, says):
    answer = bitcoind.answer
    bitcoind.answer = lambda wallet, method, params: (
        {**answer(wallet, method, params), field: value} if method == "getdescriptorinfo" else answer(wallet, method, params)
    )
    with pytest.raises(NodeRejected, match=says):
        use_wallet()


def test_a_descriptor_that_the_node_does_not_import_is_refused(bitcoind):
    answer = bitcoind.answer
    objection = [{"success": False, "error": {"code": -4, "message": "Wallet is currently rescanning."}}]
    bitcoind.answer = lambda wallet, method, params: objection if method == "importdescriptors" else answer(wallet, method, params)
    with pytest.raises(NodeRejected, match="refuses BITCOIN_DESCRIPTOR: Wallet is currently rescanning"):
        use_wallet()


def test_an_unexpected_error_while_the_wallet_is_opened_is_raised(bitcoind):
    bitcoind.fault = -32603
    with pytest.raises(NodeRejected, match="refuses: error -32603"):
        use_wallet()


def test_an_answer_without_the_expected_field_is_reported_as_unavailable(bitcoind):
    with pytest.raises(NodeUnavailable, match=r"cannot be understood \(KeyError"), open_wallet(BITCOIN) as wallet:
        wallet.call("getwalletinfo")["nonsense"]


# --- addresses ---


@pytest.mark.parametrize(("descriptor", "kind"), [(DESCRIPTOR, "bech32"), (f"pkh({KEY}/0/*)", "legacy"), (f"tr({KEY}/0/*)", "bech32m")])
def test_new_addresses_have_the_type_of_the_descriptor(bitcoind, settings, descriptor, kind):
    settings.BITCOIN_DESCRIPTOR = descriptor
    with open_wallet(BITCOIN) as wallet:
        assert new_address(wallet, "order_1")
    assert bitcoind.asked[-1] == ("shop", "getnewaddress", ["order_1", kind])


def test_a_wallet_without_a_descriptor_gives_native_segwit_addresses(bitcoind, settings):
    settings.BITCOIN_WALLET, settings.BITCOIN_DESCRIPTOR = "buyers", ""
    with open_wallet(BITCOIN) as wallet:
        assert new_address(wallet, "order_1").startswith("bcrt1q")


def test_an_error_while_an_address_is_created_is_raised(bitcoind):
    bitcoind.fault = lambda method: -12 if method == "getnewaddress" else ""
    with pytest.raises(NodeRejected, match="refuses: error -12"), open_wallet(BITCOIN) as wallet:
        new_address(wallet, "order_1")


# --- words for staff ---


def test_the_description_of_a_wallet_counts_the_addresses_given_out(bitcoind):
    with open_wallet(BITCOIN) as wallet:
        assert describe_wallet(wallet) == "watch-only, 0 addresses given out"
        for number in range(1200):
            bitcoind.wallet("shop").new_script(str(number), "bech32")
        assert describe_wallet(wallet) == "watch-only, 1,200 addresses given out"


def test_the_description_of_a_wallet_says_that_it_has_private_keys(bitcoind, settings):
    settings.BITCOIN_WALLET = "buyers"
    with open_wallet(BITCOIN) as wallet:
        assert describe_wallet(wallet).startswith("with private keys, ")


# --- checked at the start ---


def test_a_watch_only_wallet_on_the_right_chain_has_no_problem(bitcoind):
    assert wallet_problem(BITCOIN) == ""


def test_a_wallet_with_private_keys_is_a_problem_on_the_main_chain(bitcoind, settings):
    settings.BITCOIN_WALLET, settings.BITCOIN_DESCRIPTOR, settings.BITCOIN_NETWORK = "buyers", "", "mainnet"
    bitcoind.dialect.chain = "main"
    settings.DEBUG = False
    assert "holds private keys" in wallet_problem(BITCOIN)
    settings.DEBUG = True
    assert wallet_problem(BITCOIN) == ""


def test_a_wallet_made_from_another_descriptor_is_a_problem(bitcoind, settings):
    use_wallet()
    settings.BITCOIN_DESCRIPTOR = f"wpkh({KEY}/1/*)"
    assert "was made from another descriptor than BITCOIN_DESCRIPTOR" in wallet_problem(BITCOIN)


def test_an_empty_wallet_is_given_the_descriptor_to_watch(bitcoind):
    bitcoind.node.createwallet("shop", True, True)
    assert wallet_problem(BITCOIN) == ""
    assert [each.text.partition("#")[0] for each in bitcoind.wallet("shop").descriptors] == [DESCRIPTOR]


# --- the wallet that pays out ---


def test_payouts_use_the_shops_wallet_when_no_payout_wallet_is_set(bitcoind):
    with open_payout_wallet(BITCOIN) as wallet:
        assert wallet.call("getwalletinfo")["walletname"] == "shop"


def test_a_payout_wallet_that_is_not_loaded_is_loaded(bitcoind, settings):
    settings.BITCOIN_PAYOUT_WALLET = "buyers"
    bitcoind.wallet("buyers").is_loaded = False
    with open_payout_wallet(BITCOIN) as wallet:
        assert wallet.call("getwalletinfo")["private_keys_enabled"]


def test_a_payout_wallet_that_does_not_exist_is_refused_and_not_created(bitcoind, settings):
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


def test_a_litecoin_wallet_imports_the_keys_of_the_descriptor(litecoind):
    assert use_litecoin().startswith("rltc1q")

    made = litecoind.wallet("shop")
    assert (made.has_descriptors, made.has_keys, len(made.scripts), len(made.pool)) == (False, False, 1000, 999)


def test_a_litecoin_wallet_with_an_empty_pool_imports_the_next_keys(litecoind):
    first = use_litecoin()
    litecoind.wallet("shop").pool.clear()

    second = use_litecoin()

    assert second != first
    assert (len(litecoind.wallet("shop").scripts), len(litecoind.wallet("shop").pool)) == (2000, 999)


def test_an_unexpected_error_while_a_litecoin_address_is_created_imports_no_keys(litecoind):
    use_litecoin()
    litecoind.fault = lambda method: -32603 if method == "getnewaddress" else ""
    with pytest.raises(NodeRejected, match="The Litecoin node refuses: error -32603"):
        use_litecoin()
    assert litecoind.methods().count("importmulti") == 1


def test_the_description_of_a_litecoin_wallet_has_no_count_of_addresses(litecoind):
    with open_wallet(LITECOIN) as wallet:
        assert describe_wallet(wallet) == "watch-only"


def test_a_litecoin_wallet_made_from_another_descriptor_is_recognised_by_its_addresses(litecoind, settings):
    assert wallet_problem(LITECOIN) == ""
    use_litecoin()
    assert wallet_problem(LITECOIN) == ""
    settings.LITECOIN_DESCRIPTOR = f"wpkh({KEY}/1/*)"
    assert "was made from another descriptor than LITECOIN_DESCRIPTOR" in wallet_problem(LITECOIN)


def test_a_litecoin_wallet_that_another_process_loads_at_the_same_moment_is_used(litecoind, quick):
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


def test_the_wait_for_a_loading_wallet_is_at_most_three_seconds():
    assert wallets.PAUSE_SECONDS * wallets.LOOKS <= 3
