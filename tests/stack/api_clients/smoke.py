"""Read and order with the client that openapi-python-client made of the document: `SHOP=http://… API_KEY=ck_… python smoke.py`."""

import os

from client_of_the_shop import AuthenticatedClient
from client_of_the_shop.api.orders import place_order
from client_of_the_shop.api.products import list_products
from client_of_the_shop.models import (
    Address,
    AddressCountry,
    ItemInput,
    OrderInput,
    OrderInputCryptocurrency,
    PlacedOrderAnswer,
    PlacedOrderPaymentStatus,
    ProductSummaryListAnswer,
)

shop = AuthenticatedClient(os.environ["SHOP"], os.environ["API_KEY"], raise_on_unexpected_status=True)
found = list_products.sync(client=shop, limit=100)
assert isinstance(found, ProductSummaryListAnswer)
product = next(row for row in found.data if row.stock > 0)

body = OrderInput(
    cryptocurrency=OrderInputCryptocurrency.BTC,
    shipping_address=Address("Ada Lovelace", "12 Example Road", "London", AddressCountry.GB, postal_code="N1 1AA"),
    email="ada@example.com",
    items=[ItemInput(product.id, 1)],
)
answer = place_order.sync(client=shop, body=body)
assert isinstance(answer, PlacedOrderAnswer)
placed = answer.data
assert placed.payment_status is PlacedOrderPaymentStatus.UNPAID
assert placed.access_key
print(placed.order_number, placed.payment.amount)
