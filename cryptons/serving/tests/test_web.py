import socket
from collections.abc import Callable

from cryptons.serving import web
from cryptons.serving.listening import Listening
from cryptons.serving.web import make_server
from tests.running import free_port, wait_for


def test_the_socket_listens_until_the_workers_were_told_to_end_and_then_refuses(monkeypatch):
    server = make_server(Listening("127.0.0.1", port := free_port(), 1))
    server._init_shared_socket()
    with server._sso.dup() as of_a_worker:
        of_a_worker.listen()
        server._drop_shared_socket()
        socket.create_connection(("127.0.0.1", port)).close()

        monkeypatch.setattr(web, "ACCEPT_SECONDS", 0)
        server.wrks = [LongWorker(lambda: is_refused(port))]
        server._stop_workers()

        assert is_refused(port)


class LongWorker:
    """Ends when the condition holds."""

    idx = 0

    def __init__(self, may_end: Callable[[], bool]) -> None:
        self.may_end = may_end

    def terminate(self) -> None: ...

    def join(self, timeout: float | None) -> None:
        wait_for("the last request to end", self.may_end)

    def is_alive(self) -> bool:
        return False


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False
