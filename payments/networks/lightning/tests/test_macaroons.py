import pytest
from django.test import override_settings

from payments.checks import check_macaroons
from payments.networks.lightning.macaroons import ESTIMATE, PAY_OUT, RECEIVE, needless, permissions


def field(number, value):
    return bytes([number << 3 | 2, len(value)]) + value


def macaroon(*allowed, version=2, start=b"\x03"):
    """As LND writes it, with what a signature would be."""
    operations = b""
    for each in allowed:
        entity, _, action = each.partition(":")
        operations += field(3, field(1, entity.encode()) + field(2, action.encode()))
    identifier = start + field(1, b"\x00" * 16) + field(2, b"0") + operations
    length = bytes([len(identifier) & 0x7F | 0x80, len(identifier) >> 7])
    return bytes([version, 1, 3]) + b"lnd" + b"\x02" + length + identifier + b"\x00\x00\x06\x20" + b"\x00" * 32


def test_the_permissions_of_a_macaroon_are_read():
    assert permissions(macaroon("info:read", "uri:/lnrpc.Lightning/AddInvoice")) == {"info:read", "uri:/lnrpc.Lightning/AddInvoice"}


def test_a_macaroon_that_can_only_receive_has_no_superfluous_permission():
    assert needless(macaroon(*RECEIVE), RECEIVE) == []


def test_the_superfluous_permissions_of_a_macaroon_that_can_spend_are_listed():
    assert needless(macaroon(*RECEIVE, "offchain:write", "onchain:write"), RECEIVE) == ["offchain:write", "onchain:write"]


@pytest.mark.parametrize(
    "broken", [b"", b"\x02", b"\x02\x02\x7f", macaroon("a:b")[:12], macaroon("a:b", version=1), macaroon("a:b", start=b"\x01")]
)
def test_an_invalid_macaroon_is_refused(broken):
    with pytest.raises(ValueError, match=r"^This "):
        permissions(broken)


def check(value, payouts=""):
    with override_settings(LND_HOST="127.0.0.1:1", LND_MACAROON=value, LND_PAYOUT_MACAROON=payouts):
        return check_macaroons()


@pytest.mark.parametrize("more", [[], ESTIMATE], ids=["to receive", "to estimate fees as well"])
def test_the_deploy_check_accepts_the_narrowest_macaroon(more):
    assert check(macaroon(*RECEIVE, *more).hex()) == []


def test_the_deploy_check_names_superfluous_permissions_and_how_to_bake_a_narrow_macaroon():
    (warning,) = check(macaroon(*RECEIVE, "macaroon:generate").hex())
    assert "macaroon:generate" in warning.msg
    assert "lncli bakemacaroon" in warning.hint


def test_the_deploy_check_reports_an_unreadable_macaroon(tmp_path):
    (warning,) = check(str(tmp_path / "none.macaroon"))
    assert "LND_MACAROON" in warning.msg


def test_the_deploy_check_allows_the_payout_macaroon_to_pay_and_nothing_else():
    assert check(macaroon(*RECEIVE).hex(), payouts=macaroon(*PAY_OUT).hex()) == []

    (warning,) = check(macaroon(*RECEIVE).hex(), payouts=macaroon(*PAY_OUT, "onchain:write", "macaroon:generate").hex())

    assert warning.id == "payments.W003"
    assert warning.msg == "LND_PAYOUT_MACAROON ALLOWS MORE THAN IT NEEDS TO: macaroon:generate, onchain:write."
    assert "uri:/routerrpc.Router/SendPaymentV2" in warning.hint
    assert "AddInvoice" not in warning.hint


def test_the_deploy_check_reports_a_receiving_macaroon_that_may_pay():
    (warning,) = check(macaroon(*RECEIVE, *PAY_OUT).hex())
    assert "SendPaymentV2" in warning.msg


def test_the_deploy_check_reports_an_unreadable_payout_macaroon(tmp_path):
    (warning,) = check(macaroon(*RECEIVE).hex(), payouts=str(tmp_path / "none.macaroon"))
    assert (warning.id, "LND_PAYOUT_MACAROON" in warning.msg) == ("payments.W004", True)


def test_the_deploy_check_reports_nothing_without_lnd():
    assert check_macaroons() == []
