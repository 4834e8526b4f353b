"""The tree of categories: everybody may read it, `categories:write` may change it."""

from functools import partial
from typing import Any

from django.db import IntegrityError
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import Conflict, Invalid, NotFound
from cryptons.api.idempotency import idempotent
from cryptons.api.inputs import Input, StrictInteger, StrictString, StrictUUID
from cryptons.api.permissions import may
from cryptons.api.schema import describe, idempotency_key
from cryptons.api.views import ApiView, get_or_404, success
from cryptons.db import in_transaction
from shop.api.outputs import Branch, CategoryBranchSerializer, CategorySerializer
from shop.catalogue.changes import category_changed
from shop.catalogue.reads import read_categories
from shop.catalogue.slugs import free_slug
from shop.catalogue.version import catalogue_changed
from shop.models import Category


class CategoryInput(Input):
    example = {"name": "Kettles", "slug": "kettles", "position": 1}

    name = StrictString(max_length=80)
    slug = serializers.SlugField(max_length=80, required=False, allow_unicode=True)
    parent = StrictUUID(required=False, allow_null=True)  # type: ignore[assignment]
    position = StrictInteger(min_value=0, max_value=32_767, required=False)


class Categories(ApiView):
    def get_permissions(self) -> list[Any]:
        return [may("categories:write")()] if self.request.method == "POST" else []

    @describe("List categories", data=CategoryBranchSerializer, many=True, cached=True)
    def get(self, request: Request) -> Response:
        tree = read_categories()

        def branch(category: Category) -> Branch:
            return Branch(category, tuple(branch(child) for child in tree.children(category)))

        return success([CategoryBranchSerializer.serialize(branch(root)) for root in tree.roots])

    @describe(
        "Create a category",
        data=CategorySerializer,
        status=201,
        body=CategoryInput,
        parameters=[idempotency_key("The same key and body: the same category")],
        errors=[409, 415, 422],
        scope="categories:write",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        values = self.valid(CategoryInput)
        category = Category(name=values["name"], slug=values.get("slug") or free_slug(Category, values["name"]))
        return success(_save_category(category, values), status=201)


class OneCategory(ApiView):
    def get_permissions(self) -> list[Any]:
        return [] if self.request.method in ("GET", "HEAD", "OPTIONS") else [may("categories:write")()]

    @describe("Get a category", data=CategorySerializer, errors=[404])
    def get(self, request: Request, category_id: str) -> Response:
        return success(CategorySerializer.serialize(get_or_404(Category.objects.all(), category_id, _("Category not found"))))

    @describe("Replace a category", data=CategorySerializer, body=CategoryInput, errors=[400, 404, 409, 415], scope="categories:write")
    def put(self, request: Request, category_id: str) -> Response:
        """What is left out becomes what a new category has, except for the slug, which stays: the address of the page has it."""
        category = get_or_404(Category.objects.all(), category_id, _("Category not found"))
        return success(_save_category(category, {"parent": None, "position": 0, **self.valid(CategoryInput)}))

    @describe("Delete an empty category", data=None, status=204, errors=[404, 409], scope="categories:write")
    def delete(self, request: Request, category_id: str) -> Response:
        category = get_or_404(Category.objects.all(), category_id, _("Category not found"))
        try:
            category.delete()
        except ProtectedError:
            raise Conflict(_("The category still has products or other categories.")) from None
        catalogue_changed()
        return Response(status=204)


def _save_category(category: Category, values: dict[str, Any]) -> dict[str, Any]:
    category.name = values["name"]
    category.slug = values.get("slug") or category.slug
    category.position = values.get("position", category.position)
    if "parent" in values:
        category.parent = _parent_for(category, values["parent"])
    try:
        in_transaction(partial(_write, category))
    except IntegrityError:
        message = _("Another category has this slug already.")
        raise Conflict(message, details=[{"field": "slug", "message": message}]) from None
    return CategorySerializer.serialize(category)


def _write(category: Category) -> None:
    category.save()
    category_changed(category)


def _parent_for(category: Category, parent_id: Any) -> Category | None:
    if parent_id is None:
        return None
    tree = read_categories()
    try:
        parent = get_or_404(Category.objects.all(), str(parent_id), _("Category not found"))
    except NotFound:
        raise Invalid.fields({"parent": _("There is no such category.")}) from None
    if any(above.pk == category.pk for above in tree.path(parent)):
        raise Invalid.fields({"parent": _("A category cannot be below itself.")})
    return parent
