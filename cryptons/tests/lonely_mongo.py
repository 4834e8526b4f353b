"""A server that speaks MongoDB's wire protocol just far enough to be asked what it is."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013


@contextmanager
def lonely_mongo(**hello: Any) -> Iterator[str]:
    """Its host and port. Without a `setName` it is a standalone one."""
    answer = {"isWritablePrimary": True, "ismaster": True, "minWireVersion": 0, "maxWireVersion": 21, "ok": 1.0, **hello}
    answer["versionArray"] = [8, 0, 0, 0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if "setName" in answer:
            answer |= {"hosts": [address], "me": address, "primary": address, "setVersion": 1}
        threading.Thread(target=_serve, args=(server, bson.encode(answer)), daemon=True).start()
        yield address


def _serve(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            visitor, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(visitor, answer), daemon=True).start()


def _talk(visitor: socket.socket, answer: bytes) -> None:
    with visitor, visitor.makefile("rb") as stream:
        while len(head := stream.read(16)) == 16:
            length, request, _, operation = struct.unpack("<iiii", head)
            stream.read(length - 16)
            if operation == OP_QUERY:  # a driver's first hello
                kind, body = OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + answer
            else:
                kind, body = OP_MSG, struct.pack("<IB", 0, 0) + answer
            visitor.sendall(struct.pack("<iiii", 16 + len(body), 0, request, kind) + body)
