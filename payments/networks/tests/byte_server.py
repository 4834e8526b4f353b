"""A server that says the bytes that a test wants, as slowly as it wants."""

import contextlib
import socket
import threading
from collections.abc import Callable


class ByteServer:
    """Reads one request after another and lets `reply` answer on the socket; `reply` returns False to close the connection."""

    def __init__(self, reply: Callable[[socket.socket], object]) -> None:
        self.reply = reply
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := self.read(connection):
                self.requests.append(request)
                if self.reply(connection) is False:
                    break

    def read(self, connection: socket.socket) -> bytes:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (piece := connection.recv(65536)):
                return b""
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def drip(self, connection: socket.socket, data: bytes, pause: float = 0.05) -> None:
        for number in range(len(data)):
            connection.sendall(data[number : number + 1])
            if self.stopping.wait(pause):
                break

    def close(self) -> None:
        self.stopping.set()
        self.listener.close()
