"""The stand-in for MongoDB, without the engine behind it."""

from types import SimpleNamespace

import bson
import pytest

from tests.stack.tools.mongo_gateway.client import Client

DEADLOCK = {"ok": 1.0, "n": 0, "writeErrors": [{"index": 0, "code": 112, "errmsg": "deadlock detected"}]}
WRITTEN = {"ok": 1.0, "n": 1}
PARTLY_WRITTEN = {**DEADLOCK, "n": 1}


class Engine:
    closed = False

    def __init__(self, *answers):
        self.answers = [bson.encode(answer) for answer in answers]

    def execute(self, *_args, **_options):
        return SimpleNamespace(fetchone=lambda: (self.answers.pop(0),))


@pytest.mark.parametrize(
    ("answers", "answer"),
    [([DEADLOCK, DEADLOCK, WRITTEN], WRITTEN), ([PARTLY_WRITTEN, WRITTEN], PARTLY_WRITTEN), ([DEADLOCK] * 20, DEADLOCK)],
    ids=["repeated", "partly written", "without end"],
)
def test_a_write_that_a_conflict_prevented_outside_of_a_transaction_is_run_again(answers, answer):
    engine = Engine(*answers)
    client = Client(SimpleNamespace(connect=lambda: engine, answers={}, remember=lambda *_: None))

    assert client.answer({"insert": "things", "$db": "shop", "documents": [{"_id": 1}]}) == answer
