import pytest

pytest.register_assert_rewrite("payments.tests.money_life", "payments.tests.replaying")
import pytest
from hypothesis import HealthCheck, settings as hsettings, seed, Phase
from hypothesis.stateful import run_state_machine_as_test
from payments.tests.money_life import MoneyLife
import os


@pytest.mark.django_db(transaction=True)
def test_life(settings):
    n = int(os.environ.get("HYPOTHESIS_N", "100"))
    import logging

    logging.disable(logging.ERROR)

    class Life(MoneyLife):
        lived = 0

    run_state_machine_as_test(
        seed(int(os.environ.get("HYPOTHESIS_S", "1")))(Life),
        settings=hsettings(
            max_examples=n,
            stateful_step_count=int(os.environ.get("HYPOTHESIS_STEPS", "15")),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            database=None,
            phases=[Phase.generate] if "HYPOTHESIS_NOSHRINK" in os.environ else list(Phase),
        ),
    )
    print("LIVED", Life.lived)
