"""The harness itself: a node that mines and pays."""

from tests.stack.bitcoind import Node


def test_a_regtest_node_can_mine_and_pay(node: Node):
    before = node.call("getblockcount")
    address = node.call("getnewaddress", wallet=node.merchant)

    node.pay(address, "0.5")
    node.mine()

    assert node.call("getblockcount") == before + 1
    assert node.call("getreceivedbyaddress", address, wallet=node.merchant) == 0.5
