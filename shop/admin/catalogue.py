"""The catalogue for staff: categories, products and their pictures. Pages and search follow each change after its commit."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Count, F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from PIL import Image

from cryptons.amount_field import AmountField
from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.audit.writing import audit
from cryptons.db import atomic
from cryptons.formats import money
from cryptons.money import MAX_MINOR, decimal_to_minor, minor_digits, minor_to_decimal
from shop.admin.demo import remove_demo_page
from shop.admin.kept_upload import KeptFileInput
from shop.catalogue.changes import category_changed, product_changed, tell_stock
from shop.catalogue.images import UnusableImage, read_upload, store_picture
from shop.catalogue.reads import read_categories
from shop.catalogue.slugs import free_slug
from shop.catalogue.version import catalogue_changed
from shop.demo.loading import GOODS
from shop.models import LOW_STOCK, Category, Product, ProductImage


class SlugForm(forms.ModelForm[Any]):
    """A form whose slug may be left empty: it is made from the name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if slug := self.fields.get("slug"):
            slug.required = False

    def clean_slug(self) -> str:
        return self.cleaned_data["slug"] or self.instance.slug or free_slug(self._meta.model, self.cleaned_data.get("name", ""))


class CategoryForm(SlugForm):
    class Meta:
        model = Category
        fields = ("name", "slug", "parent", "position")

    def clean_parent(self) -> Category | None:
        parent: Category | None = self.cleaned_data["parent"]
        if parent and self.instance in read_categories().path(parent):
            raise forms.ValidationError(gettext("A category cannot be below itself."))
        return parent


@admin.register(Category)
class CategoryAdmin(AtomicModelAdmin[Category]):
    form = CategoryForm
    list_display = ("name", "parent", "position", "product_count")
    list_select_related = ("parent",)
    list_filter = ("parent",)
    search_fields = ("name", "slug")
    ordering = ("position", "name")
    prepopulated_fields = {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(product_total=Count("products"))

    @admin.display(description=_("products"), ordering="product_total")
    def product_count(self, category: Category) -> int:
        return int(getattr(category, "product_total", 0))

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        category_changed(obj)

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        super().delete_model(request, obj)
        catalogue_changed()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        super().delete_queryset(request, queryset)
        catalogue_changed()


class ProductForm(SlugForm):
    price = AmountField(min_value=0)

    class Meta:
        model = Product
        fields = ("name", "slug", "sku", "category", "description", "stock", "is_listed")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        digits = minor_digits(settings.CURRENCY)
        price = AmountField(
            label=gettext("Price (%(currency)s)") % {"currency": settings.CURRENCY},
            min_value=minor_to_decimal(1, settings.CURRENCY),
            max_value=minor_to_decimal(MAX_MINOR, settings.CURRENCY),
            decimal_places=digits,
        )
        if self.instance.price_minor is not None:
            price.initial = minor_to_decimal(self.instance.price_minor, settings.CURRENCY)
        self.fields["price"] = price
        if stock := self.fields.get("stock"):
            stock.show_hidden_initial = True  # what was shown, to tell what staff changed from what was sold since
            stock.widget.attrs["min"] = 0

    def clean_stock(self) -> int:
        stock: int = self.cleaned_data["stock"]
        if stock < 0:
            raise forms.ValidationError(gettext("The stock cannot be below 0."))
        return stock

    def clean(self) -> dict[str, Any] | None:
        if (price := self.cleaned_data.get("price")) is not None:
            self.instance.price_minor = decimal_to_minor(price, settings.CURRENCY)
        return super().clean()

    def stock_difference(self) -> int:
        """Return how many more than the page showed."""
        try:
            shown = int(self.data[self.add_initial_prefix("stock")])
        except (KeyError, ValueError):
            shown = self.initial.get("stock") or 0
        return int(self.cleaned_data["stock"]) - shown


class ImageForm(forms.ModelForm[ProductImage]):
    upload = forms.FileField(
        label=_("Picture"),
        required=False,
        widget=KeptFileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/heic,image/heif"}),
        help_text=_("JPEG, PNG, WebP or HEIC."),
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
            self.add_error("upload", gettext("Choose a picture."))
        elif upload:
            try:
                self.picture = read_upload(upload)
            except UnusableImage as error:
                self.add_error("upload", str(error))
                self.fields["upload"].widget.is_refused = True
        return super().clean()

    def save(self, commit: bool = True) -> ProductImage:
        if self.picture is None:
            return super().save(commit)
        image = store_picture(self.instance.product, self.picture, self.cleaned_data["alt"])
        if position := self.cleaned_data["position"]:
            ProductImage.objects.filter(pk=image.pk).update(position=position)
        return image


class LabelledFormSet(forms.BaseInlineFormSet[ProductImage, Product, forms.ModelForm[ProductImage]]):
    """Names each field for screen readers: in a table, Django names the columns only."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            field.widget.attrs.setdefault("aria-label", field.label)


class ImageInline(admin.TabularInline[ProductImage, Product]):
    model = ProductImage
    form = ImageForm
    formset = LabelledFormSet
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
    title = _("stock")
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [
            ("none", gettext("Sold out")),
            ("low", gettext("%(count)s or fewer") % {"count": LOW_STOCK}),
            ("some", gettext("More than %(count)s") % {"count": LOW_STOCK}),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Product]) -> QuerySet[Product]:
        bounds = {"none": {"stock__lte": 0}, "low": {"stock__gt": 0, "stock__lte": LOW_STOCK}, "some": {"stock__gt": LOW_STOCK}}
        return queryset.filter(**bounds.get(self.value() or "", {}))


@admin.register(Product)
class ProductAdmin(AtomicModelAdmin[Product]):
    form = ProductForm
    inlines = (ImageInline,)
    list_display = ("picture", "name", "sku", "category", "price", "stock", "is_listed", "updated_at")
    list_display_links = ("name",)
    list_select_related = ("category",)
    list_filter = ("is_listed", StockFilter, "category")
    list_per_page = 50
    search_fields = ("name", "sku")
    search_help_text = _("Name or SKU")
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
    change_list_template = "shop/admin/product_list.html"

    def get_urls(self) -> list[URLPattern]:
        return [path("demo/", self.admin_site.admin_view(remove_demo_page), name="shop_product_demo"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        has_demo = request.user.has_perm("shop.delete_product") and Product.objects.filter(sku__in=[goods.sku for goods in GOODS]).exists()
        return super().changelist_view(request, {**(extra_context or {}), "has_demo": has_demo})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return super().get_queryset(request).prefetch_related("images")

    @admin.display(description="")
    def picture(self, product: Product) -> SafeString | str:
        return _thumbnail(product.picture)

    @admin.display(description=_("price"), ordering="price_minor")
    def price(self, product: Product) -> str:
        return money(product.price_minor)

    def save_model(self, request: HttpRequest, obj: Product, form: ProductForm, change: bool) -> None:
        """Save only what staff changed, and the stock as a difference, so that what was sold in the meantime stays sold."""
        if not change:
            obj.save()
            tell_stock([obj.pk])
            return
        names = {"price": "price_minor"}
        changed = [names.get(name, name) for name in form.changed_data if name != "stock"]
        obj.save(update_fields=[*changed, "updated_at"])
        more = form.stock_difference() if "stock" in form.changed_data else 0
        if not more:
            return
        if Product.objects.filter(pk=obj.pk, stock__gte=-more).update(stock=F("stock") + more, updated_at=timezone.now()):
            tell_stock([obj.pk])
            audit("change", obj, {"stock": (form.initial.get("stock"), f"{more:+}")})
        else:
            messages.warning(request, gettext("The stock was not changed, because more was sold in the meantime. Please check it again."))

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

    @admin.action(description=_("Show in the shop"), permissions=["change"])
    def list_products(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_listed(request, queryset, True)

    @admin.action(description=_("Remove from the shop"), permissions=["change"])
    def unlist_products(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_listed(request, queryset, False)

    def _set_listed(self, request: HttpRequest, queryset: QuerySet[Product], is_listed: bool) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        with atomic():
            changing = Product.objects.filter(pk__in=ids).exclude(is_listed=is_listed)
            for product in changing:
                audit("change", product, {"is_listed": (not is_listed, is_listed)})
            count = changing.update(is_listed=is_listed, updated_at=timezone.now())
            product_changed(ids)
        if is_listed:
            message = ngettext("%(count)s product is now shown in the shop.", "%(count)s products are now shown in the shop.", count)
        else:
            message = ngettext("%(count)s product was removed from the shop.", "%(count)s products were removed from the shop.", count)
        messages.success(request, message % {"count": count})
