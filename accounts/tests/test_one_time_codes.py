"""Codes of authenticator apps."""

import base64

import pytest

from accounts.one_time_codes import app_uri, clean, code_at, grouped, matching_steps, new_recovery_code, new_secret

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_codes_are_those_of_rfc_6238(seconds, code):
    """Its appendix B, the last six of eight digits."""
    assert code_at(RFC_SECRET, seconds // 30) == code


@pytest.mark.parametrize(("late", "is_right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_one_step_early_or_late(late, is_right):
    at = 1_000_000_020
    assert bool(list(matching_steps(RFC_SECRET, code_at(RFC_SECRET, at // 30), at=at + late))) is is_right


@pytest.mark.parametrize("typed", ["", "0", "00000", "abcdef", "٠٠٠٠٠٠", "-12345", "1" * 60])
def test_what_is_no_code_matches_no_step(typed):
    assert not list(matching_steps(RFC_SECRET, typed, at=1_000_000_020))


def test_secrets_and_recovery_codes_are_long_and_never_the_same():
    assert len({new_secret() for _ in range(100)}) == len({new_recovery_code() for _ in range(100)}) == 100
    assert (len(new_secret()), len(new_recovery_code())) == (32, 24)


def test_a_code_is_understood_as_it_was_printed_or_in_small_letters():
    code = new_recovery_code()
    assert clean(grouped(code)) == clean(f" {code.lower()} ") == clean(grouped(code).replace(" ", "-")) == code


def test_the_address_for_the_app_names_the_shop_and_the_user():
    assert app_uri("ABC", account="ada", shop="Tea & Co") == "otpauth://totp/Tea%20%26%20Co%3Aada?secret=ABC&issuer=Tea%20%26%20Co"
