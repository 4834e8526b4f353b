"""A conversation with an XRP Ledger server (rippled or Clio): JSON-RPC over HTTP, with its failures raised as the shop's own errors.

The requests are xrpl-py's. Its client is not used: it waits ten seconds for each read regardless of the settings, so a server that sends
one byte at a time blocks a worker for ever, and it loads the system's certificates again for each question.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from xrpl.clients import request_to_json_rpc
from xrpl.constants import XRPLException
from xrpl.models.requests.request import Request

from payments.errors import NodeRejected, NodeUnavailable
from payments.networks.json_rpc import HttpAnswer, JsonRpcClient, RpcError

OVERLOADED = gettext_lazy("The XRP server is overloaded, or the shop asks it too often.")
OUT_OF_STEP = gettext_lazy("The XRP server is not in step with the network.")
AMENDMENT_BLOCKED = gettext_lazy("The XRP server is too old for the rules of the network (amendment blocked): update it.")
NOT_A_SERVER = gettext_lazy("What answers at XRP_URL is not the JSON-RPC of an XRP server.")

_PASSING = {
    "slowDown": OVERLOADED,
    "tooBusy": OVERLOADED,
    "noNetwork": OUT_OF_STEP,
    "noCurrent": OUT_OF_STEP,
    "noClosed": OUT_OF_STEP,
    "notSynced": OUT_OF_STEP,
    "notReady": OUT_OF_STEP,
    "amendmentBlocked": AMENDMENT_BLOCKED,
}
_LASTING = {
    "actMalformed": gettext_lazy("XRP_ADDRESS is not the address of an account."),
    "noPermission": gettext_lazy("The XRP server does not allow the shop's requests."),
    "notEnabled": gettext_lazy("The XRP server keeps no transactions that can be asked for."),
    "unknownCmd": gettext_lazy("The XRP server does not know the shop's requests."),
    "invalidParams": gettext_lazy("The XRP server does not understand the shop's requests."),
}


class Conversation:
    """A connection that lasts no longer than `within` in total; each request takes at most NODE_TIMEOUT_SECONDS."""

    def __init__(self, *, within: timedelta) -> None:
        self._ends = time.monotonic() + within.total_seconds()
        self._client = JsonRpcClient(settings.XRP_URL, node=_("The XRP server"))

    def ask(self, request: Request) -> dict[str, Any]:
        """Send a request and return the `result` of the answer. Raises NodeUnavailable, NodeRejected, and RpcError."""
        left = timedelta(seconds=self._ends - time.monotonic())
        within = min(left, timedelta(seconds=settings.NODE_TIMEOUT_SECONDS))
        return _result(self._client.post(request_to_json_rpc(request), within=within))

    def has_time(self, needed: timedelta) -> bool:
        return time.monotonic() + needed.total_seconds() < self._ends

    def close(self) -> None:
        self._client.close()


def _result(answer: HttpAnswer) -> dict[str, Any]:
    """Read the result. Overloaded servers and proxies answer in plain text; rippled uses status 200 even for errors, Clio others too."""
    content = answer.content
    result = content.get("result", content) if isinstance(content, dict) else None
    if not isinstance(result, dict):
        raise _not_understood(answer)
    if result.get("error") is not None:
        raise _translated(str(result["error"]), result)
    if answer.status != 200 or "result" not in content:
        raise _not_understood(answer)
    return result


def _not_understood(answer: HttpAnswer) -> Exception:
    if b"invalid_API_version" in answer.body:
        return NodeRejected(_("The XRP server is too old: the shop needs rippled or Clio 2.0 or newer."))
    if answer.status in (401, 403):
        return NodeRejected(_("The XRP server does not allow the shop's requests."))
    if answer.status in (404, 405):
        return NodeRejected(NOT_A_SERVER)
    if answer.status in (429, 503):
        return NodeUnavailable(OVERLOADED)
    text = _("What answers at XRP_URL is not the JSON-RPC of an XRP server (HTTP status %(status)s).")
    return NodeUnavailable(text % {"status": answer.status})


def _translated(code: str, result: dict[str, Any]) -> Exception:
    if code in _PASSING:
        return NodeUnavailable(_PASSING[code])
    if code in _LASTING:
        return NodeRejected(_LASTING[code])
    return RpcError(code, str(result.get("error_message") or result.get("error_exception") or code))


@contextmanager
def open_xrp(*, within: timedelta) -> Iterator[Conversation]:
    """Connect to the server. Raises NodeUnavailable, NodeRejected; also for an answer that lacks what the caller reads in it."""
    xrp = Conversation(within=within)
    try:
        yield xrp
    except RpcError as error:
        raise NodeUnavailable(_("The XRP server says: %(reason)s") % {"reason": error}) from error
    except (KeyError, TypeError, ValueError, AttributeError, XRPLException) as error:
        raise NodeUnavailable(
            _("An answer of the XRP server cannot be understood (%(kind)s: %(reason)s).") % {"kind": type(error).__name__, "reason": error}
        ) from error
    finally:
        xrp.close()
