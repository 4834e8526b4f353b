"""Pay a BOLT11 request through LND, at most once: LND knows each payment by its hash and never pays one hash twice.

Source: LND `DecodePayReq`, `QueryRoutes`, `routerrpc.SendPaymentV2`, `routerrpc.TrackPaymentV2`. A client that disconnects
does not stop a payment, so only TrackPaymentV2 says how it ended.
"""

from dataclasses import dataclass
from datetime import timedelta

import grpc
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.lightning.lnd.lightning_pb2 import (
    FeeLimit,
    Payment,
    PaymentFailureReason,
    PayReq,
    PayReqString,
    QueryRoutesRequest,
    QueryRoutesResponse,
)
from payments.networks.lightning.lnd.router_pb2 import SendPaymentRequest, TrackPaymentRequest
from payments.networks.lightning.rpc import LndError, open_lnd

MACAROON = "LND_PAYOUT_MACAROON"
TRY_FOR = timedelta(seconds=40)
"""How long LND looks for routes. A part that is under way then still arrives or comes back."""
WAIT_FOR = timedelta(seconds=50)
ASK_FOR = timedelta(seconds=5)

REASONS = {
    PaymentFailureReason.FAILURE_REASON_TIMEOUT: gettext_lazy("No route to the recipient was found in time."),
    PaymentFailureReason.FAILURE_REASON_INCORRECT_PAYMENT_DETAILS: gettext_lazy(
        "The receiver does not take this payment: its invoice was paid already or has expired."
    ),
    PaymentFailureReason.FAILURE_REASON_INSUFFICIENT_BALANCE: gettext_lazy(
        "No channel can send this much now, or the receiver cannot be reached."
    ),
}


@dataclass(frozen=True)
class Outcome:
    """The result of a payment. `status` is one of these:

    - sent
    - no_route: nothing was sent, because no route is within the fee limit
    - failed: nothing was sent, for another reason
    - unknown: it may be under way
    - absent: LND has no such payment
    - refused: LND did not start it
    """

    status: str
    fee_msat: int = 0
    problem: str = ""
    attempt: int = 0
    """LND's number of the payment. One that is paid again after it failed gets a higher number."""


def decode(request: str) -> PayReq:
    """Decode the request with LND, which also checks its signature. Raises NodeUnavailable, NodeRejected."""
    with open_lnd(within=ASK_FOR, macaroon=MACAROON) as lnd:
        return lnd.call("/lnrpc.Lightning/DecodePayReq", PayReqString(pay_req=request), PayReq)


def estimate_fee(request: str, amount_msat: int) -> int:
    """Ask LND for the fee of the best route that it knows now, in millisatoshis. Sends nothing.

    Asks with LND_MACAROON, because the macaroon that can pay is not where people approve payouts. A payment in several parts may
    cost another fee. Raises NodeUnavailable; NodeRejected also when there is no route.
    """
    with open_lnd(within=ASK_FOR) as lnd:
        asked = lnd.call("/lnrpc.Lightning/DecodePayReq", PayReqString(pay_req=request), PayReq)
        question = QueryRoutesRequest(
            pub_key=asked.destination,
            amt_msat=amount_msat,
            final_cltv_delta=asked.cltv_expiry,
            fee_limit=FeeLimit(fixed_msat=amount_msat),  # without one, LND leaves out routes above a limit of its own
            use_mission_control=True,
            route_hints=asked.route_hints,
        )
        routes = lnd.call("/lnrpc.Lightning/QueryRoutes", question, QueryRoutesResponse).routes
    if not routes:
        raise NodeRejected(_("LND knows no route to the recipient now."))
    return routes[0].total_fees_msat


def pay(request: str, *, amount_msat: int, asks_amount: bool, fee_limit_msat: int) -> Outcome:
    """Pay the request and wait for the result. `asks_amount`: the request holds the amount.

    Raises NodeUnavailable and NodeRejected when LND did not start the payment.
    """
    message = SendPaymentRequest(
        payment_request=request,
        amt_msat=0 if asks_amount else amount_msat,
        fee_limit_msat=fee_limit_msat,
        timeout_seconds=int(TRY_FOR.total_seconds()),
        no_inflight_updates=True,
    )
    with open_lnd(within=WAIT_FOR, macaroon=MACAROON) as lnd:
        try:
            return _outcome(lnd.last("/routerrpc.Router/SendPaymentV2", message, Payment))
        except LndError as error:
            if error.code == grpc.StatusCode.ALREADY_EXISTS:  # it is under way, or was paid: by us, before a crash
                return Outcome("unknown")
            return Outcome("refused", problem=_("LND refuses: %(reason)s") % {"reason": error})
        except NodeUnavailable as error:
            return Outcome("unknown", problem=str(error))


def track(payment_hash: str) -> Outcome:
    """Ask LND for the present state of a payment. Raises NodeUnavailable, NodeRejected."""
    message = TrackPaymentRequest(payment_hash=bytes.fromhex(payment_hash), no_inflight_updates=True)
    with open_lnd(within=ASK_FOR, macaroon=MACAROON) as lnd:
        try:
            return _outcome(lnd.last("/routerrpc.Router/TrackPaymentV2", message, Payment))
        except LndError as error:
            if error.code == grpc.StatusCode.NOT_FOUND:
                return Outcome("absent")
            raise NodeRejected(_("LND refuses: %(reason)s") % {"reason": error}) from error
        except NodeUnavailable as error:
            return Outcome("unknown", problem=str(error))


def _outcome(payment: Payment | None) -> Outcome:
    """Read the result from `status` alone, because a success may also carry a failure reason."""
    if payment is None or payment.status not in (Payment.SUCCEEDED, Payment.FAILED):
        return Outcome("unknown")
    if payment.status == Payment.SUCCEEDED:
        return Outcome("sent", fee_msat=payment.fee_msat, attempt=payment.payment_index)
    if payment.failure_reason == PaymentFailureReason.FAILURE_REASON_NO_ROUTE:
        return Outcome("no_route", attempt=payment.payment_index)
    problem = str(REASONS.get(payment.failure_reason, _("LND could not send it.")))
    return Outcome("failed", problem=problem, attempt=payment.payment_index)
