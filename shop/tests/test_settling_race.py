"""Two followers and four workers settle the same invoices at once, while two count the orders: separate processes on one database.

STACK_SETTLED says how many invoices (40).
"""

import os

import pytest

from shop.tests.racing import buyers  # noqa: F401 (a fixture)

pytestmark = pytest.mark.database

INVOICES = int(os.environ.get("STACK_SETTLED", "40"))
ROLES = ("follower", "follower", "worker", "worker", "worker", "worker")


def test_each_invoice_is_settled_once_with_one_event_one_mail_one_stock_effect_and_one_sale(buyers):
    made = buyers[0].ask("prepare_paid", orders=INVOICES)
    assert made["stock"] == 0

    working = buyers[: len(ROLES)]
    for _ in range(5):
        for process, role in zip(working, ROLES, strict=True):
            process.tell("follow_and_settle", seconds=3, role=role)
        for process in buyers[len(ROLES) :]:
            process.tell("count_figures", seconds=3)
        for process in buyers:
            process.answer()
        counted = buyers[0].ask("count_settled", product=made["product"])
        if counted["statuses"] == ["settled"]:
            break

    assert counted == {
        "statuses": ["settled"],
        "events": [1] * INVOICES,
        "mails": INVOICES,
        "processing": INVOICES,
        "stock": 0,
        "sold": INVOICES,
        "differences": [],
    }
