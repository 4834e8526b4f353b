import json

import pytest
from django.test import Client

from cryptons.serving.files import read_static_files
from cryptons.serving.front import Front
from cryptons.serving.tests.exchange import GivenScope, ask

STYLE = "css/shop.0a1b2c3d4e5f.css"


@pytest.fixture
def static(tmp_path):
    (tmp_path / "css").mkdir()
    (tmp_path / STYLE).write_text("body {}")
    (tmp_path / f"{STYLE}.gz").write_bytes(b"packed")
    (tmp_path / "css/shop.css").write_text("body {}")
    (tmp_path / "logo.svg").write_text("<svg/>")
    (tmp_path / "bundle.gz").write_bytes(b"an archive")
    (tmp_path / "staticfiles.json").write_text(json.dumps({"paths": {"css/shop.css": STYLE}}))
    return tmp_path


@pytest.fixture
def front(static, settings):
    settings.STATIC_ROOT = static
    settings.MEDIA_ROOT = static.parent / "media"
    return Front(None, threads=1)  # asks Django for nothing


def get(front, path, method="GET", **headers):
    return ask(front, GivenScope(method, path, [(name.replace("_", "-"), value) for name, value in headers.items()]))


def test_a_static_file_is_sent_for_ever_if_its_name_has_its_hash(front, static):
    sent = get(front, f"/static/{STYLE}")

    assert (sent.status, sent.file) == (200, str(static / STYLE))
    assert sent.headers["cache-control"] == "max-age=315360000, public, immutable"
    assert (sent.headers["content-type"], sent.headers["content-length"]) == ("text/css; charset=utf-8", "7")
    assert (sent.headers["x-content-type-options"], sent.headers["vary"], sent.headers["server"]) == ("nosniff", "Accept-Encoding", "")
    assert get(front, "/static/css/shop.css").headers["cache-control"] == "max-age=60, public"


@pytest.mark.parametrize(
    ("name", "content_type"), [("logo.svg", "image/svg+xml; charset=utf-8"), ("css/shop.css", "text/css; charset=utf-8")]
)
def test_a_static_file_says_its_charset_and_who_may_frame_it(front, name, content_type):
    sent = get(front, f"/static/{name}")

    assert sent.headers["content-type"] == content_type
    assert "frame-ancestors 'none'" in sent.headers["content-security-policy"]


def test_a_static_file_is_sent_compressed_to_a_client_that_takes_it(front, static):
    sent = get(front, f"/static/{STYLE}", accept_encoding="gzip, br")

    assert (sent.file, sent.headers["content-encoding"], sent.headers["content-length"]) == (str(static / f"{STYLE}.gz"), "gzip", "6")


def test_a_file_that_only_looks_compressed_is_a_file_of_its_own(front, static):
    assert get(front, "/static/bundle.gz").file == str(static / "bundle.gz")


def test_a_static_file_that_the_browser_has_is_not_sent_again(front):
    first = get(front, f"/static/{STYLE}")

    for headers in ({"if_none_match": first.headers["etag"]}, {"if_modified_since": first.headers["last-modified"]}):
        sent = get(front, f"/static/{STYLE}", **headers)
        assert (sent.status, sent.file, "content-type" in sent.headers) == (304, "", False)
    assert get(front, f"/static/{STYLE}", if_none_match='"other"').status == 200


@pytest.mark.django_db
@pytest.mark.parametrize("public_url", ["http", "https"])
def test_a_file_and_a_refusal_have_the_security_headers_of_every_answer(static, settings, public_url):
    if public_url == "https":
        settings.SECURE_PROXY_SSL_HEADER, settings.SECURE_HSTS_SECONDS = ("HTTP_X_FORWARDED_PROTO", "https"), 31_536_000
    answer = Client().get("/healthz", secure=public_url == "https", headers={"X-Forwarded-Proto": public_url})
    page = {name.lower(): value for name, value in answer.headers.items()}
    names = {
        "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy", "permissions-policy",
        "cross-origin-opener-policy", *(["strict-transport-security"] if public_url == "https" else []),
    }  # fmt: skip
    settings.STATIC_ROOT = static
    front = Front(None, threads=1)

    file, refusal = get(front, f"/static/{STYLE}"), get(front, "/cart/add/", "POST", content_length="99999999")

    assert refusal.status == 413
    for sent in (file, refusal):
        assert {name: sent.headers.get(name) for name in names} == {name: page[name] for name in names}
    assert (file.headers["cache-control"], refusal.headers["cache-control"]) == ("max-age=315360000, public, immutable", "no-store")


def test_a_head_request_gets_the_headers_of_a_file_alone(front):
    sent = get(front, f"/static/{STYLE}", "HEAD")

    assert (sent.status, sent.file, sent.headers["content-length"]) == (200, "", "7")


def test_nothing_else_in_the_folder_or_above_it_can_be_asked_for(static):
    files = read_static_files(static, "/static/")

    assert set(files) == {f"/static/{STYLE}", "/static/css/shop.css", "/static/logo.svg", "/static/bundle.gz"}
    assert read_static_files(static / "missing", "/static/") == {}


def django(tmp_path, caching):
    """An application that answers a file, and the list of its calls."""
    file = tmp_path / "a.webp"
    file.write_bytes(b"picture")
    calls = []

    def application(environ, start_response):
        calls.append(environ)
        headers = [("Cache-Control", caching), ("Content-Length", "7"), ("Last-Modified", "then"), ("X-Request-ID", "1")]
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](file.open("rb"))

    return Front(application, threads=1), calls, str(file)


def test_a_picture_is_sent_without_django_after_the_first_time(tmp_path):
    front, calls, file = django(tmp_path, "public, max-age=31536000, immutable")

    first, second = get(front, "/media/a.webp"), get(front, "/media/a.webp", cookie="sessionid=x")

    assert len(calls) == 1
    assert first.file == second.file == file
    assert second.headers["content-length"] == "7"
    assert get(front, "/media/a.webp", if_modified_since="then").status == 304


@pytest.mark.parametrize("caching", ["private, no-store", "max-age=0, no-cache", "public, max-age=60", "private, immutable"])
def test_a_private_file_is_asked_for_each_time(tmp_path, caching):
    front, calls, _file = django(tmp_path, caching)

    get(front, "/downloads/1")
    get(front, "/downloads/1")

    assert len(calls) == 2


def test_a_file_that_a_person_got_is_asked_for_each_time(tmp_path):
    front, calls, _file = django(tmp_path, "public, max-age=31536000, immutable")

    get(front, "/media/a.webp", cookie="sessionid=x")
    get(front, "/media/a.webp", cookie="sessionid=x")

    assert len(calls) == 2
