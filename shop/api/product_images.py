"""The images of a product: uploaded, put in order and deleted by those with `images:write`."""

from functools import partial
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import Invalid
from cryptons.api.idempotency import idempotent
from cryptons.api.inputs import Input, StrictUUID
from cryptons.api.permissions import may
from cryptons.api.schema import TEXT, describe, idempotency_key
from cryptons.api.views import ApiView, get_or_404, success
from cryptons.db import in_transaction
from shop.api.outputs import ImageSerializer
from shop.catalogue.changes import product_changed
from shop.catalogue.images import UnusableImage, read_upload, store_picture
from shop.models import Product, ProductImage

MOST_IMAGES = 1000

IMAGE_INPUT = {
    "type": "object",
    "properties": {"image": {"type": "string", "format": "binary"}, "alt": TEXT},
    "required": ["image"],
    "additionalProperties": False,
}


class ProductImages(ApiView):
    permission_classes = [may("images:write")]
    parser_classes = [MultiPartParser]

    @describe(
        "Upload a product image",
        data=ImageSerializer,
        status=201,
        body=IMAGE_INPUT,
        body_type="multipart/form-data",
        parameters=[idempotency_key("The same key, picture and text: the same image")],
        errors=[404, 409, 415, 422],
        scope="images:write",
    )
    @idempotent
    def post(self, request: Request, product_id: str) -> Response:
        product = get_or_404(Product.objects.all(), product_id, _("Product not found"))
        upload = request.FILES.get("image")
        if upload is None:
            raise Invalid.fields({"image": _("This field is required.")})
        try:
            picture = read_upload(upload)
        except UnusableImage as error:
            raise Invalid.fields({"image": str(error)}) from error
        image = store_picture(product, picture, str(request.POST.get("alt", ""))[:160].replace("\x00", ""))
        in_transaction(partial(_tell_changed, product))
        return success(ImageSerializer.serialize(image), status=201)


class ImageOrderInput(Input):
    example = {"images": ["01a21c3e-c0fd-70d0-8283-c19ad8f36555"]}

    images = serializers.ListField(child=StrictUUID(), max_length=MOST_IMAGES, help_text="The ids of all images of the product")


class ProductImageOrder(ApiView):
    permission_classes = [may("images:write")]

    @describe(
        "Order the images of a product",
        data=ImageSerializer,
        many=True,
        body=ImageOrderInput,
        errors=[404, 409, 415],
        scope="images:write",
    )
    def put(self, request: Request, product_id: str) -> Response:
        """The first image is the one of lists."""
        product = get_or_404(Product.objects.all(), product_id, _("Product not found"))
        ids = self.valid(ImageOrderInput)["images"]
        images = ProductImage.objects.filter(product=product).in_bulk()
        if sorted(ids) != sorted(images):
            raise Invalid.fields({"images": _("Name each image of the product once.")})
        in_transaction(partial(_set_order, product, [images[pk] for pk in ids]))
        return success([ImageSerializer.serialize(images[pk]) for pk in ids])


class OneProductImage(ApiView):
    permission_classes = [may("images:write")]

    @describe("Delete a product image", data=None, status=204, errors=[404], scope="images:write")
    def delete(self, request: Request, product_id: str, image_id: str) -> Response:
        product = get_or_404(Product.objects.all(), product_id, _("Product not found"))
        image = get_or_404(ProductImage.objects.filter(product=product), image_id, _("Image not found"))
        in_transaction(partial(_delete, image.pk, product))
        return Response(status=204)


def _set_order(product: Product, images: list[ProductImage]) -> None:
    for position, image in enumerate(images):
        image.position = position
        image.save(update_fields=["position"])
    _tell_changed(product)


def _delete(image_id: UUID, product: Product) -> None:
    ProductImage.objects.filter(pk=image_id).delete()
    _tell_changed(product)


def _tell_changed(product: Product) -> None:
    """Tell that the images have changed, as part of the product, also to those who ask for the products that changed."""
    Product.objects.filter(pk=product.pk).update(updated_at=timezone.now())
    product_changed([product.pk])
