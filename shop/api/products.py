"""Products: everybody may read them, `products:write` may change them."""

from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import Conflict, NotFound
from cryptons.api.idempotency import idempotent
from cryptons.api.permissions import may
from cryptons.api.schema import NOTHING, TEXT, describe, idempotency_key
from cryptons.api.views import ApiView, get_or_404, paginated, parse_id, success
from cryptons.audit.watching import audit_updates
from cryptons.db import in_transaction
from cryptons.money import parse_fiat
from payments.rates.current import rates_version
from shop.api.outputs import (
    ProductPageMeta,
    ProductSerializer,
    ProductSuggestionSerializer,
    ProductSummarySerializer,
    coin_prices,
)
from shop.api.product_filters import FILTERS, UNLISTED, asks_unlisted, check_unlisted, read_filters
from shop.api.product_inputs import ProductBatchInput, ProductInput
from shop.catalogue import product_cache
from shop.catalogue.changes import product_changed, tell_stock
from shop.catalogue.reads import find_products, find_shown, read_categories
from shop.catalogue.slugs import free_slug
from shop.models import Product
from shop.search import suggest


def version_of(product_id: str) -> str:
    """Return the version of the answer about a product; empty for a malformed id, about which there is nothing to keep."""
    try:
        return f"{product_cache.version(UUID(product_id))}.{rates_version()}"
    except ValueError:
        return ""


def read_shown(product_id: UUID) -> dict[str, Any]:
    """Read a product from the shared cache, or from the database. Prices in coins follow the rates and are not cached. Raises NotFound."""
    version = product_cache.version(product_id)
    shown = product_cache.read(product_id)
    if shown is None:
        product = find_shown(pk=product_id)
        if product is None:
            raise NotFound(_("Product not found"))
        shown = ProductSerializer.serialize(product)
        product_cache.keep(product_id, shown, version=version)
    return {**shown, "priceInCrypto": coin_prices(parse_fiat(shown["price"], settings.CURRENCY))}


def _for_staff(answer: Response) -> Response:
    """Forbid caches to keep the answer, because it shows what is not public."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


class Products(ApiView):
    def get_permissions(self) -> list[Any]:
        if self.request.method in ("POST", "PATCH"):
            return [may("products:write")()]
        return [may("products:read")()] if asks_unlisted(self.request) else []

    @describe(
        "List products",
        data=ProductSummarySerializer,
        many=True,
        meta=ProductPageMeta,
        parameters=FILTERS,
        scope="products:read",
        guests=NOTHING,
        cached=True,
    )
    def get(self, request: Request) -> Response:
        """By relevance to `search`, else the newest first; with `updatedSince`, the one that changed first is the first."""
        tree = read_categories()
        filters = read_filters(request, tree)
        if filters.is_walk:
            products = filters.select().prefetch_related("category", "images")
            more = {"facets": None, "searchEngine": "database"}
            page = paginated(request, products, ProductSummarySerializer.serialize, by=filters.sorted_by, more=more)
            return _for_staff(page) if filters.unlisted else page
        found = find_products(filters.query, tree)
        rows = [ProductSummarySerializer.serialize(product) for product in found.products]
        return success(rows, meta=ProductPageMeta.serialize(found))

    @describe(
        "Create a product",
        data=ProductSerializer,
        status=201,
        body=ProductInput,
        parameters=[idempotency_key("The same key and body: the same product")],
        errors=[409, 415, 422],
        scope="products:write",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        values = self.valid(ProductInput)
        product = Product(**values)
        product.slug = values.get("slug") or free_slug(Product, product.name)
        _save(product)
        return success(ProductSerializer.serialize(product), status=201)

    @describe(
        "Update many products",
        data=ProductSerializer,
        many=True,
        body=ProductBatchInput,
        parameters=[idempotency_key("The same key and body: the same answer, and no second change")],
        errors=[409, 415, 422],
        scope="products:write",
    )
    @idempotent
    def patch(self, request: Request) -> Response:
        """Change up to 500 products, all or none; fields that are left out stay. The answer has them in the order of the rows.

        Of rows with problems none is written: `details` names each as `products.<row>.<field>`, the first row being 0.
        """
        rows = self.valid(ProductBatchInput)["products"]
        _save_batch(rows)
        products = Product.objects.prefetch_related("category", "images").in_bulk([row["product"].pk for row in rows])
        return success([ProductSerializer.serialize(products[row["product"].pk]) for row in rows if row["product"].pk in products])


class OneProduct(ApiView):
    def get_permissions(self) -> list[Any]:
        if self.request.method not in ("GET", "HEAD", "OPTIONS"):
            return [may("products:write")()]
        return [may("products:read")()] if asks_unlisted(self.request) else []

    @describe(
        "Get a product",
        data=ProductSerializer,
        parameters=[UNLISTED],
        errors=[404],
        scope="products:read",
        guests=NOTHING,
        cached=True,
    )
    def get(self, request: Request, product_id: str) -> Response:
        check_unlisted(request)
        if asks_unlisted(request):
            products = Product.objects.prefetch_related("category", "images")
            return _for_staff(success(ProductSerializer.serialize(get_or_404(products, product_id, _("Product not found")))))
        return success(read_shown(parse_id(product_id, _("Product not found"))))

    @describe("Replace a product", data=ProductSerializer, body=ProductInput, errors=[400, 404, 409, 415], scope="products:write")
    def put(self, request: Request, product_id: str) -> Response:
        """What is left out becomes what a new product has, except for the slug, which stays: the address of the page has it."""
        return self._change(product_id, partial=False)

    @describe("Update a product", data=ProductSerializer, body=ProductInput, errors=[400, 404, 409, 415], scope="products:write")
    def patch(self, request: Request, product_id: str) -> Response:
        return self._change(product_id, partial=True)

    @describe("Delete a product", data=None, status=204, errors=[404], scope="products:write")
    def delete(self, request: Request, product_id: str) -> Response:
        """Orders keep their lines."""
        product = get_or_404(Product.objects.all(), product_id, _("Product not found"))
        in_transaction(partial(_delete, product.pk))
        return Response(status=204)

    def _change(self, product_id: str, *, partial: bool) -> Response:
        product = get_or_404(Product.objects.all(), product_id, _("Product not found"))
        values = self.valid(ProductInput, partial=partial)
        if not partial:
            values = {"description": "", "stock": 0, "is_listed": True, **values}
        for name, value in values.items():
            setattr(product, name, value)
        _save(product, only=[*values, "updated_at"])
        return success(ProductSerializer.serialize(product))


def _save(product: Product, only: list[str] | None = None) -> None:
    """Save only the given fields, so that stock sold since is not put back. Raises Conflict for a SKU or slug that is taken."""
    try:
        in_transaction(partial(_write, product, only))
    except IntegrityError:
        has_sku = Product.objects.filter(sku=product.sku).exclude(pk=product.pk).exists()
        field = "sku" if has_sku else "slug"
        message = _taken(field)
        raise Conflict(message, details=[{"field": field, "message": message}]) from None


def _write(product: Product, only: list[str] | None) -> None:
    product.save(update_fields=only)
    if only is None or "stock" in only:
        tell_stock([product.pk])
    product_changed([product.pk])


def _save_batch(rows: list[dict[str, Any]]) -> None:
    """Save only the given fields of each row's product, all or none. Raises Conflict with a detail for each SKU or slug that is taken."""
    try:
        in_transaction(partial(_write_batch, rows))
    except IntegrityError:
        taken = {f"products.{number}.{field}": _taken(field) for field in ("sku", "slug") for number in _rows_with_taken(field, rows)}
        details = [{"field": name, "message": message} for name, message in taken.items()]
        raise Conflict(_("Some values are taken by other products."), details=details) from None


def _write_batch(rows: list[dict[str, Any]]) -> None:
    now = timezone.now()
    before = Product.objects.in_bulk([row["product"].pk for row in rows])
    told = []
    for row in rows:
        pk, values = row["product"].pk, {name: value for name, value in row.items() if name != "product"}
        if Product.objects.filter(pk=pk).update(**values, updated_at=now):
            told.append((before[pk], values))
    audit_updates(told)
    tell_stock([product.pk for product, values in told if "stock" in values])
    product_changed(list(before))


def _rows_with_taken(field: str, rows: list[dict[str, Any]]) -> list[int]:
    """Return the numbers of the rows whose value another product has, or another row before."""
    values = {number: row[field] for number, row in enumerate(rows) if field in row}
    owners = dict(Product.objects.filter(**{f"{field}__in": list(values.values())}).values_list(field, "pk"))
    seen: set[str] = set()
    taken = []
    for number, value in values.items():
        if value in seen or owners.get(value, rows[number]["product"].pk) != rows[number]["product"].pk:
            taken.append(number)
        seen.add(value)
    return taken


def _taken(field: str) -> str:
    return _("Another product has this SKU already.") if field == "sku" else _("Another product has this slug already.")


def _delete(product_id: UUID) -> None:
    product_changed([product_id])
    Product.objects.filter(pk=product_id).delete()


class ProductSuggestions(ApiView):
    @describe(
        "Suggest products",
        data=ProductSuggestionSerializer,
        many=True,
        parameters=[OpenApiParameter("q", TEXT, description="The text typed so far")],
    )
    def get(self, request: Request) -> Response:
        suggestions = suggest(request.query_params.get("q", ""))
        return success([ProductSuggestionSerializer.serialize(suggestion) for suggestion in suggestions])
