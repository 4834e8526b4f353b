import socket

from cryptons.serving.listening import Listening
from cryptons.serving.web import make_server
from tests.running import free_port


def test_the_socket_of_a_worker_still_listens_when_the_server_stops():
    server = make_server(Listening("127.0.0.1", port := free_port(), 1))
    server._init_shared_socket()
    with server._sso.dup() as of_a_worker:
        of_a_worker.listen()
        server._drop_shared_socket()

        socket.create_connection(("127.0.0.1", port)).close()
