"""What the Lightning adapter makes of LND's words; how it behaves at a real LND is tested there."""

from datetime import UTC, datetime

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.lightning.lnd.lightning_pb2 import Invoice, Payment
from payments.networks.lightning.network import Channel, LightningNetwork, next_index, receivable_msat
from payments.networks.lightning.rpc import LndError, credential, translated

UNKNOWN, UNAVAILABLE = grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE
METHOD = "/lnrpc.Lightning/AddInvoice"


def told(code, text):
    return translated(code, text, macaroon="LND_MACAROON", method=METHOD)


@pytest.mark.parametrize(
    ("code", "text", "says"),
    [
        (UNKNOWN, "expected 1 macaroon, got 0", "not a macaroon"),
        (UNKNOWN, "cannot determine data format of binary-encoded macaroon", "not a macaroon"),
        (UNKNOWN, "unmarshal v2: field data extends past end of buffer", "not a macaroon"),
        (UNKNOWN, "verification failed: signature mismatch after caveat verification", "made by another node"),
        (UNKNOWN, "cannot retrieve macaroon: cannot get macaroon: root key with id 7 doesn't exist", "was revoked"),
        (UNKNOWN, "permission denied", f"does not allow {METHOD}"),
        (UNKNOWN, 'caveat "time-before 2026" not satisfied: macaroon has expired', "macaroon has expired"),
        (UNAVAILABLE, "failed to connect: CERTIFICATE_VERIFY_FAILED: self signed certificate", "another certificate"),
        (UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED: certificate has expired", "Delete lnd's tls.cert and tls.key"),
        (UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", "not valid yet: check the clock"),
        (UNAVAILABLE, "Hostname Verification Check failed.", "another name"),
        (UNAVAILABLE, "Failed to create security handshaker.", "not a certificate"),
        (UNAVAILABLE, "SSL routines: WRONG_VERSION_NUMBER", "does not speak TLS"),
        (grpc.StatusCode.UNIMPLEMENTED, "unknown method", "does not know"),
    ],
)
def test_a_permanent_error_of_lnd_is_rejected_with_advice(code, text, says):
    error = told(code, text)
    assert isinstance(error, NodeRejected)
    assert says in str(error)


@pytest.mark.parametrize(
    ("code", "text", "says"),
    [
        (UNKNOWN, "wallet locked, unlock it to enable full RPC access", "lncli unlock"),
        (UNKNOWN, "wallet not created, create one to enable full RPC access", "lncli create"),
        (UNKNOWN, "the RPC server is in the process of starting up, but not yet ready to accept calls", "starting up"),
        (UNAVAILABLE, "Connection refused", "no connection"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", "in time"),
        (grpc.StatusCode.CANCELLED, "RST_STREAM with error code 8", "in time"),
    ],
)
def test_a_temporary_error_of_lnd_is_unavailable(code, text, says):
    error = told(code, text)
    assert isinstance(error, NodeUnavailable)
    assert says in str(error)


def test_an_error_that_only_the_caller_can_interpret_keeps_its_grpc_code():
    error = told(grpc.StatusCode.NOT_FOUND, "unable to locate invoice")
    assert isinstance(error, LndError)
    assert error.code == grpc.StatusCode.NOT_FOUND


def test_a_settled_lightning_invoice_is_a_confirmed_payment_of_the_received_amount():
    invoice = Invoice(
        r_hash=b"\xab" * 32, value_msat=5_000, amt_paid_msat=7_001, settle_date=1_790_000_000, state=Invoice.SETTLED, settle_index=3
    )
    (fact,) = LightningNetwork().facts_of([invoice, Invoice(state=Invoice.OPEN), Invoice(state=Invoice.CANCELED)], set())
    assert fact.reference == fact.destination == "ab" * 32
    assert (fact.amount_base, fact.is_safe, fact.height) == (7_001, True, None)
    assert fact.first_seen_at == datetime.fromtimestamp(1_790_000_000, UTC)


def test_a_preimage_is_never_read():
    with_preimage = Invoice(r_hash=b"\x01" * 32).SerializeToString() + b"\x1a\x20" + b"\x07" * 32
    assert "r_preimage" not in Invoice.DESCRIPTOR.fields_by_name
    assert "preimage" not in str(Invoice.FromString(with_preimage)).lower()
    sent = Payment.FromString(Payment(payment_hash="01").SerializeToString() + b"\x32\x04" + b"0707")
    assert "payment_preimage" not in Payment.DESCRIPTOR.fields_by_name
    assert "htlcs" not in Payment.DESCRIPTOR.fields_by_name
    assert "0707" not in str(sent)


@pytest.mark.parametrize(
    ("start", "indexes", "is_whole", "index"),
    [
        (5, [], True, 5),
        (5, [6, 7], True, 7),
        (5, [7, 6], True, 7),
        (5, [6, 8], False, 6),
        (5, [8, 7], False, 5),
        (0, [41, 42], False, 42),
        (9, [3], True, 9),
    ],
)
def test_the_settle_index_does_not_skip_an_invoice_that_was_not_reported(start, indexes, is_whole, index):
    assert next_index(start, indexes, is_whole=is_whole) == index


@given(st.integers(1, 50), st.sets(st.integers(1, 100)), st.booleans())
def test_the_settle_index_never_decreases_and_never_skips_a_gap_in_a_partial_backlog(start, indexes, is_whole):
    index = next_index(start, sorted(indexes), is_whole=is_whole)
    assert index >= start
    if not is_whole:
        assert set(range(start + 1, index + 1)) <= indexes


def channel(*, receivable, is_active=True):
    return Channel("02aa", "f:0", 10_000, 0, receivable, receivable, 0, is_active)


def test_only_active_channels_count_towards_the_receivable_amount():
    assert receivable_msat([channel(receivable=400), channel(receivable=100), channel(receivable=9_000, is_active=False)]) == 500_000


def test_a_credential_is_a_path_or_hexadecimal(tmp_path, settings):
    file = tmp_path / "shop.macaroon"
    file.write_bytes(b"\x02\x01")
    settings.LND_MACAROON = str(file)
    assert credential("LND_MACAROON") == b"\x02\x01"
    settings.LND_MACAROON = "0201"
    assert credential("LND_MACAROON") == b"\x02\x01"
    settings.LND_MACAROON = str(tmp_path / "other")
    with pytest.raises(NodeRejected, match="LND_MACAROON must be the path"):
        credential("LND_MACAROON")
