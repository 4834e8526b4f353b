import pytest

pytest.register_assert_rewrite("payments.tests.invoice_life", "payments.tests.replaying")
