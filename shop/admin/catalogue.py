"""Staff keep the catalogue: categories, products and their pictures. Each change reaches pages and search after its commit."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from PIL import Image

from cryptons.atomic_admin import WholeAdmin
from cryptons.db import atomic
from cryptons.formats import money
from cryptons.money import MAX_MINOR, decimal_to_minor, minor_digits, minor_to_decimal
from shop.catalogue.changes import category_changed, product_changed
from shop.catalogue.images import UnusableImage, read_upload, store_picture
from shop.catalogue.reads import read_categories
from shop.models import LOW_STOCK, Category, Product, ProductImage

KEPT_BY_THE_SHOP = ("rating_average", "rating_count", "updated_at")


class CategoryForm(forms.ModelForm[Category]):
    class Meta:
        model = Category
        fields = ("name", "slug", "parent", "position")

    def clean_parent(self) -> Category | None:
        parent: Category | None = self.cleaned_data["parent"]
        if parent and self.instance in read_categories().path(parent):
            raise forms.ValidationError("A category cannot lie below itself.")
        return parent


@admin.register(Category)
class CategoryAdmin(WholeAdmin[Category]):
    form = CategoryForm
    list_display = ("name", "parent", "position", "product_count")
    list_select_related = ("parent",)
    list_filter = ("parent",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(product_total=Count("products"))

    @admin.display(description="Products", ordering="product_total")
    def product_count(self, category: Category) -> int:
        return int(getattr(category, "product_total", 0))

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        category_changed(obj)

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        super().delete_model(request, obj)
        product_changed([])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        super().delete_queryset(request, queryset)
        product_changed([])


class ProductForm(forms.ModelForm[Product]):
    price = forms.DecimalField(min_value=0)

    class Meta:
        model = Product
        fields = ("name", "slug", "sku", "category", "description", "stock", "is_listed")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        digits = minor_digits(settings.CURRENCY)
        price = forms.DecimalField(
            label=f"Price ({settings.CURRENCY})",
            min_value=minor_to_decimal(1, settings.CURRENCY),
            max_value=minor_to_decimal(MAX_MINOR, settings.CURRENCY),
            decimal_places=digits,
        )
        if self.instance.price_minor is not None:
            price.initial = minor_to_decimal(self.instance.price_minor, settings.CURRENCY)
        self.fields["price"] = price
        if stock := self.fields.get("stock"):
            stock.show_hidden_initial = True  # what was shown, to tell what staff changed from what was sold meanwhile
            stock.widget.attrs["min"] = 0

    def clean_stock(self) -> int:
        stock: int = self.cleaned_data["stock"]
        if stock < 0:
            raise forms.ValidationError("There cannot be less than nothing.")
        return stock

    def clean(self) -> dict[str, Any] | None:
        if (price := self.cleaned_data.get("price")) is not None:
            self.instance.price_minor = decimal_to_minor(price, settings.CURRENCY)
        return super().clean()

    def stock_difference(self) -> int:
        """How many more than the page showed."""
        try:
            shown = int(self.data[self.add_initial_prefix("stock")])
        except (KeyError, ValueError):
            shown = self.initial.get("stock") or 0
        return int(self.cleaned_data["stock"]) - shown


class ImageForm(forms.ModelForm[ProductImage]):
    upload = forms.FileField(
        label="Picture",
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP.",
    )
    picture: Image.Image | None = None

    class Meta:
        model = ProductImage
        fields = ("alt", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding and "upload" in self.fields:
            self.fields["upload"].disabled = True  # another picture is another row
            self.fields["upload"].widget.attrs["hidden"] = True

    def clean(self) -> dict[str, Any] | None:
        upload = self.cleaned_data.get("upload")
        if self.instance._state.adding and not upload and not self.errors:
            self.add_error("upload", "Choose a picture.")
        elif upload:
            try:
                self.picture = read_upload(upload)
            except UnusableImage as error:
                self.add_error("upload", str(error))
        return super().clean()

    def save(self, commit: bool = True) -> ProductImage:
        if self.picture is None:
            return super().save(commit)
        image = store_picture(self.instance.product, self.picture, self.cleaned_data["alt"])
        if position := self.cleaned_data["position"]:
            ProductImage.objects.filter(pk=image.pk).update(position=position)
        return image


class ImageInline(admin.TabularInline[ProductImage, Product]):
    model = ProductImage
    form = ImageForm
    extra = 1
    fields = ("preview", "upload", "alt", "position")
    readonly_fields = ("preview",)

    @admin.display(description="")
    def preview(self, image: ProductImage) -> SafeString | str:
        return _thumbnail(image)


def _thumbnail(image: ProductImage | None) -> SafeString | str:
    if image is None or not image.file:
        return ""
    return format_html('<img src="{}" alt="{}" width="72" height="72" loading="lazy">', image.small_url, image.alt)


class StockFilter(admin.SimpleListFilter):
    title = "stock"
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("none", "Sold out"), ("low", f"{LOW_STOCK} or fewer"), ("some", f"More than {LOW_STOCK}")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        bounds = {"none": {"stock__lte": 0}, "low": {"stock__gt": 0, "stock__lte": LOW_STOCK}, "some": {"stock__gt": LOW_STOCK}}
        return queryset.filter(**bounds.get(self.value() or "", {}))


@admin.register(Product)
class ProductAdmin(WholeAdmin[Product]):
    form = ProductForm
    inlines = (ImageInline,)
    list_display = ("picture", "name", "sku", "category", "price", "stock", "is_listed", "updated_at")
    list_display_links = ("name",)
    list_select_related = ("category",)
    list_filter = ("is_listed", StockFilter, "category")
    list_per_page = 50
    search_fields = ("name", "sku")
    search_help_text = "Name or SKU"
    autocomplete_fields = ("category",)
    prepopulated_fields = {"slug": ("name",)}
    fields = (
        "name",
        "slug",
        "sku",
        "category",
        "price",
        "stock",
        "is_listed",
        "description",
        "rating_average",
        "rating_count",
        "updated_at",
    )
    readonly_fields = ("rating_average", "rating_count", "updated_at")
    actions = ("list_products", "unlist_products")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).prefetch_related("images")

    @admin.display(description="")
    def picture(self, product: Product) -> SafeString | str:
        return _thumbnail(product.picture)

    @admin.display(description="Price", ordering="price_minor")
    def price(self, product: Product) -> str:
        return money(product.price_minor)

    def save_model(self, request: HttpRequest, obj: Product, form: ProductForm, change: bool) -> None:
        """Of a product that is there only what staff changed, and stock as a difference: what was sold meanwhile stays sold."""
        if not change:
            obj.save()
            return
        names = {"price": "price_minor"}
        changed = [names.get(name, name) for name in form.changed_data if name != "stock"]
        obj.save(update_fields=[*changed, "updated_at"])
        more = form.stock_difference() if "stock" in form.changed_data else 0
        if more and not Product.objects.filter(pk=obj.pk, stock__gte=-more).update(stock=F("stock") + more, updated_at=timezone.now()):
            messages.warning(request, "The stock was left as it is: more was sold meanwhile than there would be. Look at it again.")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        product_changed([form.instance.pk])

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        with atomic():
            product_changed([obj.pk])
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        with atomic():
            product_changed(list(queryset.values_list("pk", flat=True)))
            super().delete_queryset(request, queryset)

    @admin.action(description="Show in the shop", permissions=["change"])
    def list_products(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_listed(request, queryset, True)

    @admin.action(description="Take out of the shop", permissions=["change"])
    def unlist_products(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_listed(request, queryset, False)

    def _set_listed(self, request: HttpRequest, queryset: QuerySet[Product], is_listed: bool) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        count = Product.objects.filter(pk__in=ids).exclude(is_listed=is_listed).update(is_listed=is_listed, updated_at=timezone.now())
        product_changed(ids)
        messages.success(request, f"{count} products {'shown in' if is_listed else 'taken out of'} the shop.")
