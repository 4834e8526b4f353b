from tests.sequences import PERCENT, SEQUENCES, lives


def test_the_sequences_of_all_kinds_add_up_to_the_requested_number():
    """Each test that runs a part of them counts those that it has run to the end."""
    assert sum(lives(kind, parts=1) for kind in PERCENT) >= SEQUENCES - len(PERCENT)
