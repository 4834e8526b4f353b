"""One process of the race: reads a JSON command a line, answers with a JSON line. Started by test_race.py with a database of its own."""

import json
import sys
import time


def prepare(left, buyers):
    """A product of which so many are left, and a cart with one of it for each buyer."""
    from shop.tests.factories import CartItemFactory, ProductFactory

    product = ProductFactory(stock=left, slug=f"race-{time.time_ns()}", sku=f"RACE-{time.time_ns()}")
    return {"product": str(product.pk), "carts": [str(CartItemFactory(product=product).cart_id) for _ in range(buyers)]}


def buy(cart, at):
    """Place the order at that moment of the machine's clock."""
    from django.utils import timezone

    from shop.checkout import place_order
    from shop.errors import ShopError
    from shop.models import Cart
    from shop.tests.factories import ADDRESS

    time.sleep(max(0, at - time.time()))
    try:
        place_order(Cart.objects.get(pk=cart), email="ada@example.com", user=None, address=ADDRESS, network="BTC", at=timezone.now())
    except ShopError as error:
        return type(error).__name__
    return "ordered"


def cancel(order, at):
    from django.utils import timezone

    from shop.errors import ShopError
    from shop.orders import cancel_own_order

    time.sleep(max(0, at - time.time()))
    try:
        cancel_own_order(order, at=timezone.now())
    except ShopError as error:
        return type(error).__name__
    return "cancelled"


def count(product):
    from payments.models import Invoice
    from shop.models import Order, Product

    orders = Order.objects.filter(lines__product=product)
    return {
        "stock": Product.objects.get(pk=product).stock,
        "orders": [str(pk) for pk in orders.values_list("pk", flat=True)],
        "holding": orders.filter(holds_stock=True).count(),
        "invoices": Invoice.objects.filter(subject_id__in=list(orders.values_list("pk", flat=True))).count(),
    }


def main():
    import django
    from django.core.management import call_command

    django.setup()
    if "migrate" in sys.argv:
        call_command("migrate", verbosity=0)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        act, options = json.loads(line)
        print(json.dumps(globals()[act](**options)), flush=True)


if __name__ == "__main__":
    main()
