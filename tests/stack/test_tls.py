"""A shop without a proxy: it speaks TLS 1.3 and HTTP/2 itself."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.running import LONGEST, Shop, children, data_of_a_first_start, free_port, wait_for
from tests.stack.test_serve import start_and_fail


def issue(folder: Path, name: str) -> None:
    """Write a certificate for 127.0.0.1, and its key, over those that are there."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "new.key"), "-out", str(folder / "new.pem")]
    subprocess.run([*command, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", *files], check=True, capture_output=True)
    (folder / "new.key").replace(folder / "tls.key")
    (folder / "new.pem").replace(folder / "tls.pem")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    issue(tmp_path, "first")
    redirect_port = str(free_port())
    files = {"TLS_CERTIFICATE": str(tmp_path / "tls.pem"), "TLS_KEY": str(tmp_path / "tls.key")}
    shop = Shop(tmp_path, "--no-demo", HTTP_REDIRECT_PORT=redirect_port, **files)
    shop.url = f"https://127.0.0.1:{shop.port}"
    return shop


def shake_hands(port: int, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[str | None, str | None, bytes | None]:
    """The version of TLS, the protocol, and the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, newest
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST) as plain, context.wrap_socket(plain) as connection:
        return connection.version(), connection.selected_alpn_protocol(), connection.getpeercert(binary_form=True)


def renew_while_the_new_worker_is_slow(shop: Shop) -> None:
    """The worker with the old certificate has ended before that with the new one listens: clients that connect in between wait."""
    web = shop.child("web")
    assert web is not None
    (old,) = children(web)
    issue(shop.folder, "second")
    (new,) = wait_for("a second worker", lambda: [child for child in children(web) if child != old])
    os.kill(new, signal.SIGSTOP)
    try:
        wait_for("the end of the first worker", lambda: old not in children(web))
        for port in (shop.port, int(shop.environment["HTTP_REDIRECT_PORT"])):
            socket.create_connection(("127.0.0.1", port), timeout=LONGEST).close()
    finally:
        os.kill(new, signal.SIGCONT)


def test_a_shop_speaks_tls_itself_and_takes_a_renewed_certificate_without_a_restart(shop: Shop):
    shutil.copytree(data_of_a_first_start(), shop.data)
    shop.start()
    try:
        client = httpx.Client(verify=ssl.create_default_context(cafile=shop.environment["TLS_CERTIFICATE"]), timeout=LONGEST)
        home = client.get(f"{shop.url}/")
        assert home.status_code == 200
        assert home.headers["strict-transport-security"].startswith("max-age=31536000")

        version, protocol, first = shake_hands(shop.port)
        assert (version, protocol) == ("TLSv1.3", "h2")
        with pytest.raises(ssl.SSLError):
            shake_hands(shop.port, newest=ssl.TLSVersion.TLSv1_2)

        plain = httpx.get(f"http://127.0.0.1:{shop.environment['HTTP_REDIRECT_PORT']}/search?q=kettle", timeout=LONGEST)
        assert (plain.status_code, plain.headers["location"]) == (308, f"{shop.url}/search?q=kettle")

        renew_while_the_new_worker_is_slow(shop)
        assert shake_hands(shop.port)[2] != first
        assert "process ended" not in shop.said()
    finally:
        shop.stop()


def test_a_key_that_does_not_belong_to_the_certificate_stops_the_start(shop: Shop):
    shutil.copy(shop.environment["TLS_CERTIFICATE"], shop.folder / "old.pem")
    issue(shop.folder, "second")
    shop.environment["TLS_CERTIFICATE"] = str(shop.folder / "old.pem")

    said = start_and_fail(shop)

    assert said.startswith("Cryptons cannot start: TLS_CERTIFICATE and TLS_KEY must be readable PEM files that belong together")
    assert said.count("\n") == 1
