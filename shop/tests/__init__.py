import pytest

pytest.register_assert_rewrite("shop.tests.order_life")
