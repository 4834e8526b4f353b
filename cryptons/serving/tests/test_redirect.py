import pytest

from cryptons.serving.redirect import HttpRedirect

REDIRECT = HttpRedirect("https://shop.example")


@pytest.mark.parametrize("path", ["/", "/search?q=a&page=2", "/de/p/caf%C3%A9/"])
def test_each_address_is_redirected_to_the_same_one_with_tls(path):
    answer = REDIRECT.answer_to(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 308 ")
    assert f"\r\nLocation: https://shop.example{path}\r\n".encode() in answer


@pytest.mark.parametrize("target", ["http://x/", "/a b", "/\n", "", "/\x7f"])
def test_what_is_no_plain_request_is_refused(target):
    assert REDIRECT.answer_to(f"GET {target} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 400 ")
