"""Money out of MWEB, as litecoind's wallet tells of it: entries as it gave them on regtest, ids shortened."""

from payments.networks.bitcoin.mweb import dated, is_payout

ADDRESS = "rltc1qshop"
WAITING = {"txid": "mweb", "address": ADDRESS, "mweb_out": "00", "category": "receive", "confirmations": 0, "timereceived": 1_000}
MINED = WAITING | {"confirmations": 1, "blockhash": "b1"}
WAITING_OUTPUT = {"txid": "hogex", "address": ADDRESS, "vout": 1, "category": "orphan", "confirmations": 0, "timereceived": 1_090}
OUTPUT = WAITING_OUTPUT | {"category": "immature", "confirmations": 1, "blockhash": "b1"}


def received(*entries):
    return [entry["timereceived"] for entry in dated(entries)]


def test_the_entry_of_an_mweb_payout_is_told_apart_from_its_output():
    assert [is_payout(entry) for entry in (WAITING, MINED, OUTPUT, WAITING_OUTPUT)] == [True, True, False, False]


def test_an_mweb_output_has_the_time_at_which_its_transaction_was_first_seen():
    assert received(OUTPUT, MINED) == [1_000, 1_000]
    assert received(OUTPUT | {"timereceived": 990}, MINED) == [990, 1_000]


def test_two_mweb_payments_in_one_block_have_the_earlier_time():
    assert received(MINED | {"timereceived": 1_030}, MINED, OUTPUT, OUTPUT | {"vout": 2}) == [1_000, 1_000, 1_000, 1_000]


def test_an_output_without_an_mweb_transaction_keeps_its_own_time():
    assert received(OUTPUT) == [1_090]
    assert received(MINED, OUTPUT | {"blockhash": "b2"}, OUTPUT | {"address": "rltc1qother"}) == [1_000, 1_090, 1_090]
    assert received(WAITING, WAITING_OUTPUT) == [1_000, 1_090]
