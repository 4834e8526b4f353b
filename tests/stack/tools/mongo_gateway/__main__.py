"""Serve: python -m tests.stack.tools.mongo_gateway "host=127.0.0.1 user=postgres dbname=postgres" 27018."""

import signal
import socketserver
import struct
import sys
import threading
from collections.abc import Mapping
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument

from tests.stack.tools.mongo_gateway.client import Client
from tests.stack.tools.mongo_gateway.codes import Document
from tests.stack.tools.mongo_gateway.store import Store

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013


def parse_msg(body: bytes) -> tuple[Document, bool]:
    """Return the command of an OP_MSG, and whether the client wants no answer (moreToCome)."""
    (flags,) = struct.unpack_from("<I", body)
    end, position = len(body) - (4 if flags & 1 else 0), 4
    command: Mapping[str, Any] = {}
    sequences: dict[str, list[RawBSONDocument]] = {}
    while position < end:
        kind, (size,) = body[position], struct.unpack_from("<i", body, position + 1)
        start, stop = position + 1, position + 1 + size
        if kind == 0:
            command = RawBSONDocument(body[start:stop])
        else:
            at = body.index(b"\0", start + 4)
            documents = sequences.setdefault(body[start + 4 : at].decode(), [])
            at += 1
            while at < stop:
                (length,) = struct.unpack_from("<i", body, at)
                documents.append(RawBSONDocument(body[at : at + length]))
                at += length
        position = stop
    return {**command, **sequences}, bool(flags & 2)


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: "Server"

    def handle(self) -> None:
        client = Client(self.server.store)
        try:
            while header := self.rfile.read(16):
                size, request, _, operation = struct.unpack("<iiii", header)
                body = self.rfile.read(size - 16)
                if operation == OP_QUERY:  # only a driver's first hello
                    command, silent = bson.decode(body[body.index(b"\0", 4) + 9 :]), False
                elif operation == OP_MSG:
                    command, silent = parse_msg(body)
                else:
                    return
                answer = client.answer(command)
                if not silent:
                    self.reply(request, operation, bson.encode(answer))
        except (ConnectionError, struct.error):
            pass
        finally:
            client.close()

    def reply(self, request: int, operation: int, packed: bytes) -> None:
        if operation == OP_QUERY:
            operation, content = OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + packed
        else:
            content = struct.pack("<IB", 0, 0) + packed
        self.wfile.write(struct.pack("<iiii", len(content) + 16, 1, request, operation) + content)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: Store) -> None:
        self.store = store
        super().__init__(("127.0.0.1", store.port), Handler)


def main() -> None:
    store = Store(sys.argv[1], int(sys.argv[2]))
    threading.Thread(target=store.sweep, daemon=True).start()
    with Server(store) as server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"mongodb://127.0.0.1:{store.port}/?replicaSet=rs0", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
