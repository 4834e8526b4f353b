"""The files of a picture go when its row goes, however that happens."""

from pathlib import Path

import pytest
from PIL import Image

from shop.catalogue.images import store_picture
from shop.models import ProductImage
from shop.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


def kept(settings):
    return {path.name for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


@pytest.fixture
def image():
    return store_picture(ProductFactory(), Image.new("RGB", (8, 6)), "")


@pytest.mark.parametrize("gone", ["image", "product"])
def test_the_files_go_with_the_picture_and_with_its_product(image, gone, settings, django_capture_on_commit_callbacks):
    other = store_picture(ProductFactory(), Image.new("RGB", (8, 6)), "")

    with django_capture_on_commit_callbacks(execute=True):
        (image if gone == "image" else image.product).delete()

    assert kept(settings) == {Path(other.file.name).name, Path(other.thumbnail.name).name}


def test_a_file_that_another_picture_has_stays(image, settings, django_capture_on_commit_callbacks):
    ProductImage.objects.create(product=ProductFactory(), file=image.file.name)

    with django_capture_on_commit_callbacks(execute=True):
        image.delete()

    assert kept(settings) == {Path(image.file.name).name}
