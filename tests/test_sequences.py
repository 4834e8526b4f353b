from tests.sequences import LIVES


def test_two_thousand_lives_are_run_on_sqlite():
    """Each test that runs a part of them counts those that came to their end."""
    assert sum(LIVES.values()) >= 2_000
