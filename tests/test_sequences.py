from tests.sequences import PERCENT, SEQUENCES, lives


def test_the_sequences_of_all_kinds_together_are_as_many_as_were_asked_for():
    """Each test that runs a part of them counts those that it has run to the end."""
    assert sum(lives(kind, parts=1) for kind in PERCENT) >= SEQUENCES - len(PERCENT)
