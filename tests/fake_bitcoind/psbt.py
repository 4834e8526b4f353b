"""Partly signed transactions as BIP 174 writes them, as far as a wallet of witness programs needs it."""

import base64
import binascii
from dataclasses import dataclass
from io import BytesIO

from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScriptWitness
from bitcoin.core.serialize import SerializationError, VarIntSerializer, ser_read

from tests.fake_bitcoind.chain import RpcError, signed, txid_of

MAGIC = b"psbt\xff"
UNSIGNED_TRANSACTION, WITNESS_UTXO, FINAL_WITNESS = b"\x00", b"\x01", b"\x08"


@dataclass(frozen=True)
class Psbt:
    transaction: CTransaction
    """Without signatures."""
    utxos: tuple[CTxOut, ...]
    """What each input spends."""
    signed: frozenset[int] = frozenset()
    """The indexes of the inputs that are signed."""

    @property
    def is_complete(self) -> bool:
        return len(self.signed) == len(self.transaction.vin)

    @property
    def fee(self) -> int:
        return int(sum(each.nValue for each in self.utxos) - sum(each.nValue for each in self.transaction.vout))

    def final(self) -> CTransaction:
        return signed(self.transaction, self.signed)


def write(psbt: Psbt) -> str:
    out = BytesIO()
    out.write(MAGIC)
    _write_map(out, {UNSIGNED_TRANSACTION: psbt.transaction.serialize({"include_witness": False})})
    for index, utxo in enumerate(psbt.utxos):
        fields = {WITNESS_UTXO: utxo.serialize()}
        if index in psbt.signed:
            fields[FINAL_WITNESS] = CScriptWitness((b"\x30" + bytes(70), b"\x02" + bytes(32))).serialize()
        _write_map(out, fields)
    for _ in psbt.transaction.vout:
        _write_map(out, {})
    return base64.b64encode(out.getvalue()).decode()


def read(text: str) -> Psbt:
    """Raises RpcError as bitcoind does."""
    try:
        stream = BytesIO(base64.b64decode(text, validate=True))
        if stream.read(len(MAGIC)) != MAGIC:
            raise ValueError("magic")
        transaction = CTransaction.deserialize(_read_map(stream)[UNSIGNED_TRANSACTION])
        inputs = [_read_map(stream) for _ in transaction.vin]
        utxos = tuple(CTxOut.deserialize(each[WITNESS_UTXO]) for each in inputs)
        return Psbt(transaction, utxos, frozenset(index for index, each in enumerate(inputs) if FINAL_WITNESS in each))
    except (ValueError, KeyError, binascii.Error, SerializationError) as error:
        raise RpcError(-22, "TX decode failed Invalid PSBT magic bytes: iostream error") from error


def combine(texts: list[str]) -> Psbt:
    psbts = [read(text) for text in texts]
    first = psbts[0]
    if any(txid_of(each.transaction) != txid_of(first.transaction) for each in psbts):
        raise RpcError(-8, "PSBTs not compatible (different transactions)")
    return Psbt(first.transaction, first.utxos, frozenset().union(*(each.signed for each in psbts)))


def _write_map(out: BytesIO, fields: dict[bytes, bytes]) -> None:
    for key, value in fields.items():
        for part in (key, value):
            VarIntSerializer.stream_serialize(len(part), out)
            out.write(part)
    out.write(b"\x00")


def _read_map(stream: BytesIO) -> dict[bytes, bytes]:
    fields = {}
    while length := VarIntSerializer.stream_deserialize(stream):
        key = ser_read(stream, length)
        fields[key] = ser_read(stream, VarIntSerializer.stream_deserialize(stream))
    return fields
