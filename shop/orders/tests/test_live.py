"""A stream of an order has another mark whenever its buyer sees something else, and says then what the API says."""

import json

import pytest
from django.db import connection
from django.utils import timezone

from accounts.tests.factories import ApiClient
from payments.models import Cursor
from shop.orders.lifecycle import change_status
from shop.orders.live import read_order_marks
from shop.tests.paying import TIP, open_order, tell

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_mark_changes_with_payments_confirmations_and_shipping_and_of_no_other_order(django_assert_max_num_queries):
    order, other = open_order(), open_order(product__sku="CUP")
    untouched = read_order_marks([other.pk])
    seen = [read_order_marks([order.pk])[order.pk]]

    def look():
        with django_assert_max_num_queries(6):
            marks = read_order_marks([order.pk, other.pk])
        assert marks[other.pk] == untouched[other.pk]
        assert marks[order.pk] not in seen
        seen.append(marks[order.pk])

    tell(order)
    look()
    tell(order, height=TIP)
    look()
    Cursor.objects.filter(network="BTC").update(tip_height=TIP + 1)
    look()
    tell(order, height=TIP - 1)
    look()
    for status in ("shipped", "delivered"):
        change_status(order.pk, status, actor="eve", at=timezone.now())
        look()
    assert read_order_marks([order.pk]) == {order.pk: seen[-1]}


def test_the_stream_of_the_api_says_what_the_order_and_its_invoice_say():
    order, guest = open_order(), ApiClient()
    key = {"X-Order-Key": order.access_token}
    headers = {**key, "Accept": "text/event-stream"}
    tell(order, height=TIP)

    answer = guest.get(f"/api/orders/{order.pk}/stream", headers=headers)

    retry, event, _ = answer.content.decode().split("\n\n")
    name, mark, data = (line.partition(": ")[2] for line in event.split("\n"))
    update = json.loads(data)
    assert (answer.headers["Content-Type"], retry, name) == ("text/event-stream", "retry: 3000", "order")
    assert update["order"] == guest.get(f"/api/orders/{order.pk}", headers=key).json()["data"]
    assert update["payment"] == guest.get(f"/api/invoices/{update['payment']['id']}").json()["data"]
    assert (update["payment"]["confirmations"], update["payment"]["confirmationsNeeded"]) == (1, 2)
    again = guest.get(f"/api/orders/{order.pk}/stream", headers={**headers, "Last-Event-ID": mark})
    assert again.content == b"retry: 3000\n\n"


def test_an_event_gives_a_hint_after_the_commit_and_only_while_streams_are_open(monkeypatch):
    class Hints:
        is_wanted, given = False, 0

        def are_wanted(self):
            return self.is_wanted

        def give(self):
            assert not connection.in_atomic_block
            self.given += 1

    hints = Hints()
    monkeypatch.setattr("cryptons.events.stream_hints.hints", lambda: hints)
    order = open_order()
    assert hints.given == 0

    hints.is_wanted = True
    tell(order)

    assert hints.given > 0
