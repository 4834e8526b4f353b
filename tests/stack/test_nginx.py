"""The shipped configurations of nginx before a running shop, one behind the other: the one that puts TLS in front, and docker-compose's."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.programs import find
from tests.running import LONGEST, ROOT, Shop, data_of_a_first_start, free_port, wait_for
from tests.stack.buying import buy, hidden, stock_product
from tests.stack.test_tls import issue, shake_hands

KEY = "k" * 43
MAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{}}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {server}
}}
"""


@contextlib.contextmanager
def nginx(name: str, folder: Path, port: int, changes: Mapping[str, str]) -> Iterator[None]:
    """Runs the configuration of that name with the ports and files of this machine, listening on the port at last."""
    server = (ROOT / "deploy/nginx" / name).read_text(encoding="utf-8")
    for shipped, here in changes.items():
        assert shipped in server, shipped
        server = server.replace(shipped, here)
    folder.mkdir()
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, server=server, user=user), encoding="utf-8")
    command = [find("nginx", "nginx", places="/usr/sbin/nginx"), "-p", folder, "-c", folder / "nginx.conf"]
    with (folder / "said").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:

            def is_open() -> bool:
                assert process.poll() is None, (folder / "said").read_text()
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0

            wait_for(f"nginx with {name}", is_open)
            yield
        finally:
            process.terminate()


@dataclass
class Chain:
    shop: Shop
    folder: Path
    http: int
    https: int
    """Ports of what is in front."""

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A browser at that address. It says of itself what only a proxy may say, and that is not believed."""
        context = ssl.create_default_context(cafile=self.folder / "tls.pem")
        headers = {"Host": "shop.example", "Origin": "https://shop.example", "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "http"}
        transport = httpx.HTTPTransport(verify=context, local_address=address)
        return httpx.Client(base_url=f"https://127.0.0.1:{self.https}", headers=headers, transport=transport, timeout=LONGEST)

    def logged(self) -> str:
        return "".join((self.folder / name / "access.log").read_text() for name in ("cryptons", "tls"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("nginx")
    issue(folder, "shop.example")
    trusted = {"RATE_LIMIT_API": "100/hour", "TRUSTED_PROXIES": "127.0.0.1", "STAFF_TWO_FACTOR": "optional"}
    shop = Shop(folder / "shop", "--no-demo", PUBLIC_URL="https://shop.example", SANDBOX="true", **trusted)
    shop.url = "https://shop.example"
    shutil.copytree(data_of_a_first_start(), shop.data)
    inner, http, https = free_port(), free_port(), free_port()
    of_docker = {
        "resolver 127.0.0.11 valid=5s ipv6=off;": "",
        "server web:8000 resolve;": f"server 127.0.0.1:{shop.port};",
        "172.16.0.0/12": "127.0.0.1/32",
        "listen 8080;": f"listen 127.0.0.1:{inner};",
        "/dev/stdout": f"{folder}/cryptons/access.log",
    }
    in_front = {
        "listen [::]:80;": "",
        "listen 80;": f"listen 127.0.0.1:{http};",
        "listen [::]:443 ssl http2;": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{https} ssl http2;",
        "/etc/letsencrypt/live/shop.example/fullchain.pem": f"{folder}/tls.pem",
        "/etc/letsencrypt/live/shop.example/privkey.pem": f"{folder}/tls.key",
        "/var/log/nginx/shop.log": f"{folder}/tls/access.log",
        "http://127.0.0.1:8080": f"http://127.0.0.1:{inner}",
    }
    try:
        shop.start()
        with nginx("cryptons.conf", folder / "cryptons", inner, of_docker), nginx("tls.conf", folder / "tls", https, in_front):
            yield Chain(shop, folder, http, https)
    finally:
        shop.stop()


def test_http_is_redirected_to_https_of_the_shops_own_name(chain: Chain):
    answer = httpx.get(f"http://127.0.0.1:{chain.http}/p/tent/?a=1", headers={"Host": "evil.example"}, timeout=LONGEST)

    assert (answer.status_code, answer.headers["location"]) == (301, "https://shop.example/p/tent/?a=1")


def test_tls_1_3_and_http_2_are_spoken_and_nothing_older(chain: Chain):
    version, protocol, _certificate = shake_hands(chain.https)

    assert (version, protocol) == ("TLSv1.3", "h2")
    with pytest.raises(ssl.SSLError):
        shake_hands(chain.https, newest=ssl.TLSVersion.TLSv1_2)


def test_the_shop_knows_that_the_visitor_uses_https_and_hides_what_serves_it(chain: Chain):
    with chain.client() as browser:
        form = browser.get("/account/login/")
        answer = browser.post("/account/login/", data={**hidden(form), "name": "nobody", "password": "wrong-password"})

    assert form.headers["strict-transport-security"].startswith("max-age=31536000")
    assert "secure" in form.headers["set-cookie"].lower()
    assert answer.status_code == 400, answer.text  # a form of another scheme would be refused with 403
    assert form.headers["server"] == "nginx"


def test_limits_count_the_address_that_connects_to_the_first_proxy(chain: Chain):
    def left(browser: httpx.Client) -> int:
        return int(browser.get("/api/products").headers["RateLimit-Remaining"])

    with chain.client("127.0.0.5") as first, chain.client("127.0.0.6") as second:
        assert [left(first), left(first), left(second)] == [99, 98, 99]


def test_a_body_that_is_too_large_is_refused_by_nginx_and_a_smaller_one_by_the_shop(chain: Chain):
    with chain.client("127.0.0.7") as browser:
        assert browser.post("/api/auth/login", content=b"x" * 1_100_000).json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
        refused = browser.post("/cart/add/", content=b"x" * 11_000_000)
    assert (refused.status_code, refused.headers["content-type"]) == (413, "text/html")  # not the shop's page, which has a charset


def test_events_pass_both_proxies_as_they_happen(chain: Chain):
    with chain.client("127.0.0.8") as chain.shop.http:
        bought = buy(chain.shop, stock_product(chain.shop, stock=1))
        with chain.shop.http.stream("GET", f"/api/orders/{bought.id}/stream", headers=chain.shop.buyer()) as answer:
            told = next(line for line in answer.iter_lines() if line.startswith("data: "))

    assert bought.number in told


def test_the_logs_name_pages_without_the_keys_in_their_addresses(chain: Chain):
    with chain.client() as browser:
        for path in (f"/orders/{KEY}/", f"/refund/{KEY}/", f"/account/link/{KEY}/", f"/pay/1/?order={KEY}"):
            browser.get(path)

    wait_for("both logs", lambda: chain.logged().count('"GET /pay/1/"') == 2)
    assert chain.logged().count('"GET /orders/-/"') == 2
    assert KEY not in chain.logged()
