"""Signatures as other programs make them."""

import pytest

from cryptons.standard_webhooks import is_signed, key_of, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""The example that the libraries of Standard Webhooks are tested with."""


def test_the_published_example_has_the_published_signature():
    assert sign(SECRET, *SIGNED) == SIGNATURE
    assert is_signed([SECRET], *SIGNED, SIGNATURE)


@pytest.mark.parametrize("padding", ["", "="])
def test_a_prefixed_secret_is_decoded_from_base64_with_or_without_padding(padding: str):
    assert key_of(f"whsec_c2VjcmV0LXg{padding}") == b"secret-x"


def test_a_secret_without_the_prefix_is_used_unchanged():
    assert key_of("c2VjcmV0") == b"c2VjcmV0"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_?", "whsec_a"])
def test_a_prefixed_secret_with_invalid_base64_is_refused(secret: str):
    with pytest.raises(ValueError, match="after whsec_"):
        key_of(secret)


def test_one_valid_signature_among_several_is_enough():
    assert is_signed([SECRET], *SIGNED, f"v1,AAAA v1a,x {SIGNATURE} ")


def test_any_of_several_secrets_may_have_signed_the_message():
    assert is_signed(["new", SECRET], *SIGNED, SIGNATURE)
    assert is_signed(["new", SECRET], *SIGNED, sign("new", *SIGNED))


@pytest.mark.parametrize("signature", ["", "v1,", "v1", "v2" + SIGNATURE[2:], SIGNATURE[:-2], SIGNATURE.upper(), "v1,é"])
def test_an_invalid_signature_is_refused(signature: str):
    assert not is_signed([SECRET], *SIGNED, signature)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_signature_is_valid_for_one_message_only(place: int):
    other = list(SIGNED)
    other[place] = b"{}" if place == 2 else "1"
    assert not is_signed([SECRET], *other, SIGNATURE)


def test_no_signature_is_valid_when_no_secret_is_set():
    assert not is_signed([], *SIGNED, SIGNATURE)
