"""Payment requests, read without a node. The first two are BOLT 11's own examples."""

from datetime import UTC, datetime, timedelta

import pytest

from payments.networks.lightning.bolt11 import BadRequest, read_request

DONATION = (
    "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypq"
    "dpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v5"
    "2vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql"
)
COFFEE = (
    "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypq"
    "dq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09s"
    "am30g4vgpfna3rh"
)
HASH = "0001020304050607080900010203040506070809000102030405060708090102"
MADE_AT = datetime(2017, 6, 1, 10, 57, 38, tzinfo=UTC)


def test_a_request_without_an_amount_and_an_expiry_is_valid_for_an_hour():
    request = read_request(DONATION)
    assert (request.chain, request.amount_msat, request.payment_hash) == ("mainnet", None, HASH)
    assert request.expires_at == MADE_AT + timedelta(hours=1)


def test_a_request_with_an_amount_and_an_expiry_is_read():
    request = read_request(f"  LIGHTNING:{COFFEE.upper()} ")
    assert (request.amount_msat, request.payment_hash) == (250_000_000, HASH)
    assert request.expires_at == MADE_AT + timedelta(seconds=60)


@pytest.mark.parametrize(
    "text", ["", "lnbc", "bc1qsomething", COFFEE[:-1], COFFEE.replace("2500u", "2501u"), COFFEE[:60] + "q" + COFFEE[61:]]
)
def test_a_truncated_or_mistyped_request_is_refused(text):
    with pytest.raises(BadRequest):
        read_request(text)
