"""A conversation with LND: gRPC over TLS with a macaroon, with its failures raised as the shop's own errors.

Nearly all of LND's errors have the status UNKNOWN: only the text tells them apart. The texts are those of lnd 0.20 and 0.21.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import grpc
from django.conf import settings
from django.utils.translation import gettext as _
from google.protobuf.message import Message

from cryptons.host_address import host_and_port
from payments.errors import NodeRejected, NodeUnavailable, PaymentError

M = TypeVar("M", bound=Message)

DEFAULT_PORT = 10009
LONGEST = timedelta(seconds=60)


class LndError(Exception):
    """An error of LND that only the caller can judge."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Conversation:
    """A connection to LND that lasts no longer than `within` in total."""

    def __init__(self, macaroon: str, *, within: timedelta) -> None:
        self._macaroon = macaroon
        self._ends = time.monotonic() + within.total_seconds()
        host = host_and_port(settings.LND_HOST, DEFAULT_PORT)
        certificate = credential("LND_TLS_CERT") if settings.LND_TLS_CERT else None
        self._metadata: tuple[tuple[str, str | bytes], ...] = (("macaroon", credential(macaroon).hex()),)
        self._channel = grpc.secure_channel(host, grpc.ssl_channel_credentials(certificate))

    def call(self, method: str, request: Message, answer: type[M], *, within: timedelta = LONGEST) -> M:
        """Call a method, such as `/lnrpc.Lightning/GetInfo`. Raises NodeUnavailable, NodeRejected, and LndError."""
        ask = self._channel.unary_unary(method, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString)
        try:
            return ask(request, metadata=self._metadata, timeout=self._left(within))
        except grpc.RpcError as error:
            raise self._translated(error, method) from error

    def listen(self, method: str, request: Message, answer: type[M], *, first: timedelta, quiet: timedelta) -> "Iterator[M | None]":
        """Yield the messages of a stream until LND is silent for `quiet` (`first` before the first message), then None.

        If the last value is not None, the time ran out before LND was silent.
        """
        serialize = type(request).SerializeToString
        ask = self._channel.unary_stream(method, request_serializer=serialize, response_deserializer=answer.FromString)
        call = ask(request, metadata=self._metadata, timeout=self._left(LONGEST))
        messages: SimpleQueue[M | grpc.RpcError] = SimpleQueue()
        Thread(target=_pump, args=(call, messages), daemon=True).start()
        patience = first
        try:
            while True:
                try:
                    message = messages.get(timeout=patience.total_seconds())
                except Empty:
                    yield None
                    return
                if isinstance(message, grpc.RpcError):
                    if message.code() == grpc.StatusCode.DEADLINE_EXCEEDED and patience == quiet:
                        return
                    raise self._translated(message, method) from message
                yield message
                patience = quiet
        finally:
            call.cancel()

    def last(self, method: str, request: Message, answer: type[M]) -> M | None:
        """Return the last message of a stream, or None if it had none. Raises NodeUnavailable, NodeRejected, and LndError."""
        serialize = type(request).SerializeToString
        ask = self._channel.unary_stream(method, request_serializer=serialize, response_deserializer=answer.FromString)
        try:
            messages = list(ask(request, metadata=self._metadata, timeout=self._left(LONGEST)))
        except grpc.RpcError as error:
            raise self._translated(error, method) from error
        return messages[-1] if messages else None

    def close(self) -> None:
        self._channel.close()

    def _left(self, within: timedelta) -> Any:
        """Return the remaining time in seconds."""
        return max(0.001, min(within.total_seconds(), self._ends - time.monotonic()))

    def _translated(self, error: grpc.RpcError, method: str) -> Exception:
        return translated(error.code(), error.details() or "", macaroon=self._macaroon, method=method)


def _pump(call: Any, messages: "SimpleQueue[Any]") -> None:
    try:
        for message in call:
            messages.put(message)
    except grpc.RpcError as error:
        messages.put(error)


@contextmanager
def open_lnd(*, within: timedelta, macaroon: str = "LND_MACAROON") -> Iterator[Conversation]:
    """Connect to LND with the macaroon of this setting. Raises NodeUnavailable, NodeRejected."""
    lnd = Conversation(macaroon, within=within)
    try:
        yield lnd
    except LndError as error:
        raise NodeRejected(_("LND refuses: %(reason)s") % {"reason": error}) from error
    finally:
        lnd.close()


def credential(name: str) -> bytes:
    """Read a credential from the setting, which holds the path of a file or its bytes in hex. Raises NodeRejected."""
    value = getattr(settings, name).strip()
    if value.startswith("-----BEGIN"):
        return bytes(value, "ascii", "replace")
    try:
        return bytes.fromhex(value)
    except ValueError:
        pass
    try:
        return Path(value).read_bytes()
    except OSError as error:
        raise NodeRejected(
            _("%(setting)s must be the path of a file that the shop may read, or its bytes in hex (%(reason)s).")
            % {"setting": name, "reason": error.strerror}
        ) from error


def translated(code: grpc.StatusCode, text: str, *, macaroon: str, method: str) -> Exception:
    if code == grpc.StatusCode.UNAVAILABLE:
        return _unreachable(text)
    if code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return NodeUnavailable(_("LND does not answer in time. Check whether it is responding."))
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return NodeRejected(_("LND does not know %(method)s: it is too old, or that service is switched off.") % {"method": method})
    if code == grpc.StatusCode.UNKNOWN:
        return _known_refusal(text, macaroon, method) or LndError(code, text)
    return LndError(code, text)


def _unreachable(text: str) -> PaymentError:
    if "certificate has expired" in text:
        return NodeRejected(
            _("LND's certificate has expired. Delete lnd's tls.cert and tls.key, restart lnd, and copy the new tls.cert to LND_TLS_CERT.")
        )
    if "certificate is not yet valid" in text:
        return NodeRejected(_("LND's certificate is not valid yet: check the clock of this machine and the clock of LND's machine."))
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return NodeRejected(
            _("LND shows another certificate than LND_TLS_CERT: it made a new one, or is another node. Copy its tls.cert again.")
        )
    if "Hostname Verification" in text:
        return NodeRejected(_("LND's certificate is for another name than LND_HOST (lnd's options tlsextraip and tlsextradomain)."))
    if "handshaker" in text:
        return NodeRejected(_("LND_TLS_CERT is not a certificate."))
    if "WRONG_VERSION_NUMBER" in text:
        return NodeRejected(_("What answers at LND_HOST does not speak TLS: is it LND's gRPC port?"))
    return NodeUnavailable(_("LND does not answer: no connection to LND_HOST. Is it running?"))


def _known_refusal(text: str, macaroon: str, method: str) -> PaymentError | None:
    """Return the error that LND's text means; None for a text that only the caller can judge."""
    if "wallet locked" in text:
        return NodeUnavailable(_("LND's wallet is locked: unlock it with `lncli unlock`."))
    if "wallet not created" in text:
        return NodeUnavailable(_("LND has no wallet yet: make one with `lncli create`."))
    if "starting up" in text or "shutting down" in text:
        return NodeUnavailable(_("LND is starting up or shutting down."))
    if "verification failed" in text or "cannot get macaroon" in text:
        return NodeRejected(
            _("LND refuses %(macaroon)s: it was made by another node, or was revoked. Bake a new one.") % {"macaroon": macaroon}
        )
    if text == "permission denied":
        return NodeRejected(_("LND refuses %(macaroon)s: it does not allow %(method)s.") % {"macaroon": macaroon, "method": method})
    if "caveat" in text:
        reason = text.partition("not satisfied: ")[2] or text
        return NodeRejected(_("LND refuses %(macaroon)s: %(reason)s.") % {"macaroon": macaroon, "reason": reason})
    if "macaroon" in text or text.startswith(("unmarshal", "encoding/hex")):
        return NodeRejected(_("LND refuses %(macaroon)s: it is not a macaroon.") % {"macaroon": macaroon})
    return None
