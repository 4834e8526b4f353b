"""A mail server of our own on 127.0.0.1, which keeps what it takes."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer


class FakeSmtp(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, *, refuses: Collection[str] = (), most_of_a_connection: int | None = None, closes: bool = False) -> None:
        """`refuses` these recipients. After `most_of_a_connection` mails it answers 421 to the next one, or just `closes`."""
        super().__init__(("127.0.0.1", 0), _Session)
        self.refuses, self.most_of_a_connection, self.closes = refuses, most_of_a_connection, closes
        self.mails: list[bytes] = []
        """As they came, without the dots that the protocol adds."""
        self.envelopes: list[tuple[str, str]] = []
        """What MAIL and RCPT said of each mail."""
        self.connections = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


@contextmanager
def fake_smtp(*, refuses: Collection[str] = (), most_of_a_connection: int | None = None, closes: bool = False) -> Iterator[FakeSmtp]:
    with FakeSmtp(refuses=refuses, most_of_a_connection=most_of_a_connection, closes=closes) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Session(StreamRequestHandler):
    server: FakeSmtp

    def handle(self) -> None:
        self.server.connections += 1
        sender, taken = "", 0
        self._answer("220 fake ESMTP")
        while line := self.rfile.readline().decode().strip():
            command = line.upper()
            if command == "DATA":
                self._answer("354 Go on")
                self.server.mails.append(self._content())
                self._answer("250 Taken")
                taken += 1
                if self.server.closes and taken == self.server.most_of_a_connection:
                    return
            elif command.startswith("MAIL"):
                if taken == self.server.most_of_a_connection:
                    self._answer("421 Too many mails in this connection")
                    return
                sender = line[len("MAIL FROM:") :]
                self._answer("250 OK")
            elif command.startswith("RCPT"):
                self._recipient(sender, line[len("RCPT TO:") :].strip("<>"))
            elif command == "QUIT":
                self._answer("221 Bye")
                return
            else:
                self._answer("250-fake\r\n250 8BITMIME" if command.startswith("EHLO") else "250 OK")

    def _recipient(self, sender: str, recipient: str) -> None:
        if recipient in self.server.refuses:
            self._answer("550 No such user")
        else:
            self.server.envelopes.append((sender.strip("<>"), recipient))
            self._answer("250 OK")

    def _content(self) -> bytes:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _answer(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
