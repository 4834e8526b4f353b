"""Payouts over Lightning: what LND says of a payment, and what the shop concludes from it."""

from datetime import timedelta

import grpc
import pytest

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.lightning import payouts
from payments.networks.lightning.lnd.lightning_pb2 import Payment, PaymentFailureReason
from payments.networks.lightning.payouts import Outcome, decode, estimate_fee, pay, track
from payments.networks.lightning.tests.lnd_server import lnd, lnd_of  # noqa: F401

HASH = "ab" * 32
REQUEST = f"lnbcrt{HASH}"
UNDER_WAY, SENT, FAILED = Payment.IN_FLIGHT, Payment.SUCCEEDED, Payment.FAILED


@pytest.fixture
def payer(lnd, settings):
    settings.LND_PAYOUT_MACAROON = lnd.macaroon
    return lnd


def send(**more):
    return pay(REQUEST, **{"amount_msat": 1_000, "asks_amount": True, "fee_limit_msat": 10_000, **more})


def follow():
    return track(HASH)


both = pytest.mark.parametrize(("ask", "method"), [(send, "SendPaymentV2"), (follow, "TrackPaymentV2")], ids=["pay", "track"])


def test_lnd_decodes_a_payment_request(payer):
    assert (decode(REQUEST).payment_hash, decode(REQUEST).num_msat) == (HASH, 1_000)


def test_a_payment_request_that_lnd_cannot_decode_is_refused(payer):
    with pytest.raises(NodeRejected, match="invalid bech32 string"):
        decode("a letter")


@pytest.mark.parametrize(("asks_amount", "sent_msat"), [(True, 0), (False, 1_000)])
def test_a_payment_has_a_fee_limit_and_has_an_amount_only_when_the_request_has_none(payer, asks_amount, sent_msat):
    send(asks_amount=asks_amount)
    order = payer.received["SendPaymentV2"]
    assert (order.payment_request, order.amt_msat, order.fee_limit_msat, order.timeout_seconds) == (REQUEST, sent_msat, 10_000, 40)


@both
def test_a_successful_payment_is_sent_with_its_fee(payer, ask, method):
    payer.last_words = [Payment(status=UNDER_WAY), Payment(status=SENT, fee_msat=7)]
    assert ask() == Outcome("sent", fee_msat=7)


@both
def test_a_successful_payment_is_sent_even_when_lnd_adds_a_failure_reason(payer, ask, method):
    payer.last_words = [Payment(status=SENT, failure_reason=PaymentFailureReason.FAILURE_REASON_CANCELED)]
    assert ask().status == "sent"


@both
@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (PaymentFailureReason.FAILURE_REASON_TIMEOUT, "in time"),
        (PaymentFailureReason.FAILURE_REASON_INCORRECT_PAYMENT_DETAILS, "does not"),
        (PaymentFailureReason.FAILURE_REASON_INSUFFICIENT_BALANCE, "No channel"),
        (PaymentFailureReason.FAILURE_REASON_ERROR, "could not"),
    ],
)
def test_a_failed_payment_has_the_reason_of_its_failure(payer, ask, method, reason, says):
    payer.last_words = [Payment(status=FAILED, failure_reason=reason)]
    outcome = ask()
    assert (outcome.status, says in outcome.problem) == ("failed", True)


@both
def test_a_payment_without_a_route_within_its_fee_limit_is_told_apart_from_one_that_failed(payer, ask, method):
    payer.last_words = [Payment(status=FAILED, failure_reason=PaymentFailureReason.FAILURE_REASON_NO_ROUTE, payment_index=3)]
    assert ask() == Outcome("no_route", attempt=3)


def test_the_fee_of_a_payment_is_estimated_without_sending_anything(lnd):
    lnd.route_fees = [2_500]
    assert estimate_fee(REQUEST, 1_000_000) == 2_500
    assert [method for method in lnd.asked if method != "GetState"] == ["DecodePayReq", "QueryRoutes"]


def test_a_recipient_without_a_route_has_no_estimate(lnd):
    with pytest.raises(NodeRejected, match="LND knows no route to the recipient now"):
        estimate_fee(REQUEST, 1_000_000)


@both
@pytest.mark.parametrize("words", [[], [Payment(status=UNDER_WAY)]], ids=["nothing", "under way"])
def test_a_payment_without_a_final_state_is_unknown(payer, ask, method, words):
    payer.last_words = words
    assert ask() == Outcome("unknown")


@both
def test_a_time_out_is_unknown_and_never_failed(payer, ask, method, monkeypatch):
    monkeypatch.setattr(payouts, "WAIT_FOR", timedelta(seconds=0.3))
    monkeypatch.setattr(payouts, "ASK_FOR", timedelta(seconds=0.3))
    payer.hanging.add(method)
    outcome = ask()
    assert (outcome.status, "in time" in outcome.problem) == ("unknown", True)


def test_paying_a_request_that_is_already_in_flight_is_unknown(payer):
    payer.errors["SendPaymentV2"] = (grpc.StatusCode.ALREADY_EXISTS, "payment is in transition")
    assert send() == Outcome("unknown")


def test_a_payment_that_lnd_does_not_accept_is_refused(payer):
    payer.errors["SendPaymentV2"] = (grpc.StatusCode.UNKNOWN, "self-payments not allowed")
    outcome = send()
    assert (outcome.status, "self-payments not allowed" in outcome.problem) == ("refused", True)


def test_a_payment_that_lnd_does_not_know_is_absent(payer):
    payer.errors["TrackPaymentV2"] = (grpc.StatusCode.NOT_FOUND, "payment isn't initiated")
    assert follow() == Outcome("absent")


def test_an_unexpected_error_while_a_payment_is_tracked_is_raised(payer):
    payer.errors["TrackPaymentV2"] = (grpc.StatusCode.UNKNOWN, "out of memory")
    with pytest.raises(NodeRejected, match="out of memory"):
        follow()


@both
def test_a_payout_macaroon_of_another_node_is_rejected(payer, ask, method, settings):
    settings.LND_PAYOUT_MACAROON = "00" * 32
    with pytest.raises(NodeRejected, match="LND refuses LND_PAYOUT_MACAROON"):
        ask()


def test_decoding_a_request_at_an_unreachable_node_raises(payer):
    payer.stop()
    with pytest.raises(NodeUnavailable):
        decode(REQUEST)
