"""A bitcoind (or litecoind) of our own: real JSON-RPC over HTTP on 127.0.0.1, a chain without proof of work, signatures without keys.

Transactions, addresses and PSBTs are written as on the real chain; derivation and signatures are made up. tests/stack/test_fake_bitcoind.py
holds its answers against a real node's.
"""

from tests.fake_bitcoind.chain import Chain, RpcError
from tests.fake_bitcoind.server import FakeBitcoind

__all__ = ["Chain", "FakeBitcoind", "RpcError"]
