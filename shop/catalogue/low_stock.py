"""Tell staff which products are running low, once each time that the stock falls to LOW_STOCK, and at most once a day for a product."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from cryptons.chunks import CHUNK, chunks
from cryptons.db import in_transaction
from cryptons.mail.staff import mail_staff
from shop.models import LOW_STOCK, LowStock, Product

AGAIN_AFTER = timedelta(days=1)
"""Orders that nobody pays take the stock and give it back: that must not make a mail each time."""


def tell_of_low_stock(*, at: datetime) -> int:
    """Mail staff one list of the products that are newly low, at most CHUNK of them. Returns how many."""
    old = LowStock.objects.filter(told_at__lte=at - AGAIN_AFTER)
    for ids in chunks(list(old.values_list("product_id", flat=True))):
        enough = Product.objects.filter(pk__in=ids, stock__gt=LOW_STOCK)
        LowStock.objects.filter(product__in=list(enough.values_list("pk", flat=True))).delete()
    known = set(LowStock.objects.values_list("product_id", flat=True))
    low = Product.objects.listed().filter(stock__lte=LOW_STOCK).order_by("stock", "name")
    products = [product for product in low.only("pk", "name", "sku", "stock") if product.pk not in known][:CHUNK]
    if not products:
        return 0
    try:
        in_transaction(lambda: _tell(products, at=at))
    except IntegrityError:  # another process has just mailed some of them; the next sweep mails the others
        return 0
    return len(products)


def _tell(products: list[Product], *, at: datetime) -> None:
    LowStock.objects.bulk_create([LowStock(product=product, told_at=at) for product in products])
    with override(settings.LANGUAGE_CODE):
        count = len(products)
        subject = ngettext("%(count)d product is running low", "%(count)d products are running low", count) % {"count": count}
        lines = [
            _("%(product)s (%(sku)s): %(stock)d left") % {"product": product.name, "sku": product.sku, "stock": product.stock}
            for product in products
        ]
        path = reverse("admin:shop_product_changelist")
    mail_staff("stock", f"low-stock:{products[0].pk}:{at:%Y-%m-%dT%H:%M:%S}", subject, "\n".join(lines), path=path)
