from decimal import Decimal

from accounts.verification.checks import check_provider, check_sanctions_list


def ids(messages):
    return [message.id for message in messages]


def test_a_provider_that_lacks_settings_stops_the_start(settings):
    settings.VERIFICATION_LIMIT = Decimal(1)
    assert ids(check_provider()) == ["verification.W001"]

    settings.VERIFICATION_PROVIDER, settings.FIELD_ENCRYPTION_KEY = "manual", []
    assert [message.msg for message in check_provider()] == ["FIELD_ENCRYPTION_KEY must be set: documents are stored encrypted only."]

    settings.VERIFICATION_PROVIDER, settings.SUMSUB_URL, settings.SUMSUB_LEVEL = "sumsub", "http://sumsub.example", "basic"
    assert [message.msg for message in check_provider()] == [
        "SUMSUB_APP_TOKEN must be set for VERIFICATION_PROVIDER=sumsub.",
        "SUMSUB_SECRET_KEY must be set for VERIFICATION_PROVIDER=sumsub.",
        "SUMSUB_WEBHOOK_SECRET must be set for VERIFICATION_PROVIDER=sumsub.",
        "SUMSUB_URL must be https.",
    ]


def test_a_provider_without_a_limit_is_a_warning(settings):
    settings.VERIFICATION_PROVIDER, settings.FIELD_ENCRYPTION_KEY = "manual", ["k" * 32]

    assert ids(check_provider()) == ["verification.W002"]


def test_a_sanctions_list_that_cannot_be_read_stops_the_start(settings, tmp_path):
    assert check_sanctions_list() == []

    settings.SANCTIONS_LIST = str(tmp_path / "none")

    assert ids(check_sanctions_list()) == ["verification.E002"]
