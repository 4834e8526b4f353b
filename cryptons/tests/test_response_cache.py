import pytest
from django.conf import settings
from django.http import HttpResponse, HttpResponseNotFound
from django.test import RequestFactory

from cryptons import response_cache as module
from cryptons.response_cache import forget_all, ready_bytes

browser = RequestFactory()


@pytest.fixture(autouse=True)
def _empty_response_cache():
    forget_all()
    yield
    forget_all()


class Page:
    """Counts how often the view was asked, and shows what it saw of the query."""

    def __init__(self, **options):
        self.version, self.asked, self.respond = "1", 0, None
        self.view = ready_bytes(versions=lambda: self.version, parameters=("q", "page"), **options)(self._view)

    def _view(self, request):
        self.asked += 1
        return self.respond(request) if self.respond else HttpResponse(f"{self.version}:{request.GET.urlencode()}")

    def get(self, path="/", **headers):
        return self.view(browser.get(path, headers=headers))


def test_a_cached_response_is_shared_by_all_anonymous_visitors():
    page = Page()

    first, second = page.get("/?q=a"), page.get("/?q=a")

    assert page.asked == 1
    assert first.content == second.content == b"1:q=a"
    assert first["Cache-Control"] == "public, max-age=10, stale-while-revalidate=60"
    assert first["ETag"] == second["ETag"]


def test_a_new_catalogue_version_makes_a_new_response():
    page = Page()
    old = page.get()
    page.version = "2"

    assert page.get().content != old.content
    assert page.asked == 2


def test_a_response_made_during_a_change_is_not_cached_under_the_new_version():
    page = Page()

    def change_meanwhile(request):
        page.version = "2"
        return HttpResponse("old")

    page.respond = change_meanwhile
    page.get()
    page.respond = None

    assert page.get().content == b"2:"


def test_the_order_of_parameters_and_unknown_parameters_do_not_change_the_response():
    page = Page()

    first = page.get("/?q=a&page=2&utm=x")

    assert first.content == b"1:page=2&q=a"
    assert page.get("/?page=2&q=a&fbclid=y").content == first.content
    assert page.asked == 1


def test_a_strict_view_sees_unknown_parameters_and_its_response_is_not_cached():
    page = Page(strict=True)

    assert page.get("/?q=a&bad=1").content == b"1:q=a&bad=1"
    page.get("/?q=a&bad=1")
    assert page.asked == 2


def test_a_strict_view_can_distinguish_an_empty_parameter_from_a_missing_one():
    page = Page(strict=True)

    assert page.get("/").content == b"1:"
    assert page.get("/?q=").content == b"1:q="


def test_responses_are_cached_separately_by_host_path_and_parameters():
    page = Page()
    page.view(browser.get("/a", headers={"host": "localhost"}))
    page.view(browser.get("/a", headers={"host": "127.0.0.1"}))
    page.get("/b")
    page.get("/b?q=x")

    assert page.asked == 4


def test_a_request_with_a_matching_etag_gets_a_304_without_a_body():
    page = Page()
    etag = page.get()["ETag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = page.get(**{"If-None-Match": known})
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", etag)
    assert page.get(**{"If-None-Match": '"other"'}).status_code == 200


def test_a_head_request_gets_the_headers_alone_and_fills_the_cache():
    page = Page()

    head = page.view(browser.head("/?q=a"))
    got = page.get("/?q=a")

    assert (head.content, head["Content-Length"], head["ETag"]) == (b"", str(len(got.content)), got["ETag"])
    assert page.asked == 1


@pytest.mark.parametrize("cookie", [settings.SESSION_COOKIE_NAME, "messages"])
def test_a_request_with_a_personal_cookie_gets_a_private_response(cookie):
    page = Page()
    page.get()
    request = browser.get("/")
    request.COOKIES[cookie] = "x"

    answer = page.view(request)

    assert page.asked == 2
    assert "private" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]
    page.get()
    assert page.asked == 2


def test_a_request_with_an_authorization_header_is_not_served_from_the_cache():
    page = Page()
    page.get(Authorization="Bearer x")
    page.get()

    assert page.asked == 2


def _with_cookie(request):
    response = HttpResponse("mine")
    response.set_cookie("a", "b")
    return response


def _with_token(request):
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = True
    return HttpResponse("token")


@pytest.mark.parametrize(
    "respond",
    [_with_cookie, _with_token, lambda request: HttpResponseNotFound("no"), lambda request: HttpResponse(b"x" * (1024 * 1024 + 1))],
)
def test_a_response_that_must_not_be_shared_is_not_cached(respond):
    page = Page()
    page.respond = respond
    page.get()
    page.get()

    assert page.asked == 2


def varies_by(response):
    return {name.strip() for name in response.headers.get("Vary", "").split(",")}


def test_every_shared_response_varies_by_cookie_and_authorization():
    page = Page()
    made, ready = page.get(), page.get()
    not_modified = page.get(**{"If-None-Match": made["ETag"]})
    head = page.view(browser.head("/"))

    assert (page.asked, not_modified.status_code) == (1, 304)
    for answer in (made, ready, not_modified, head):
        assert answer["Cache-Control"].startswith("public")
        assert varies_by(answer) >= {"Cookie", "Authorization"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/search", "/api/products", "/api/categories"])
def test_cacheable_pages_vary_by_cookie_and_authorization(client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer["Cache-Control"].startswith("public")
    assert varies_by(answer) >= {"Cookie", "Authorization"}


def test_a_post_request_is_not_served_from_the_cache():
    page = Page()
    page.get()
    page.view(browser.post("/"))

    assert page.asked == 2


def test_the_least_recently_used_response_is_evicted_first(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 2_500)
    page = Page()
    page.respond = lambda request: HttpResponse(b"x" * 1_000)
    page.get("/a")
    page.get("/b")
    page.get("/a")
    page.get("/c")

    page.get("/a")
    assert page.asked == 3
    page.get("/b")
    assert page.asked == 4
    assert module._cache._bytes <= 2_500


def test_a_response_to_a_very_long_query_is_not_cached():
    page = Page()
    page.get("/?q=" + "x" * 1_000)
    page.get("/?q=" + "x" * 1_000)

    assert page.asked == 2
    assert not module._cache._kept


def test_a_cached_response_expires_after_five_minutes(monkeypatch):
    page = Page()
    page.get()
    now = module.time.monotonic_ns()
    monkeypatch.setattr(module.time, "monotonic_ns", lambda: now + 301 * 10**9)
    page.get()

    assert page.asked == 2
