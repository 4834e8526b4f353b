"""A picture that was chosen is not lost when another field of the product is wrong."""

import re

import pytest

from shop.admin.tests.test_catalogue_admin import fields, page, picture, staff  # noqa: F401
from shop.models import Product, ProductImage
from shop.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


def sent(product, upload=None, **changes):
    values = {"images-0-alt": "Front", "images-0-position": 0, "images-0-product": product.pk}
    return fields(product, images=1, **values, **({"images-0-upload": upload} if upload else {}), **changes)


def kept(answer):
    found = re.search(r'name="images-0-upload-kept" value="([\w-]+)"', answer.text)
    return found and found[1]


def test_a_chosen_picture_is_kept_while_another_field_is_wrong(staff):
    product = ProductFactory()
    wrong = staff.post(page(product), sent(product, picture(), name=""))
    assert "picture.png is kept" in wrong.text
    still = staff.post(page(product), sent(product, name="", **{"images-0-upload-kept": kept(wrong)}))
    assert not ProductImage.objects.exists()

    staff.post(page(product), sent(product, name="Pot", **{"images-0-upload-kept": kept(still)}))

    assert (Product.objects.get().name, ProductImage.objects.get().alt) == ("Pot", "Front")


def test_a_file_that_is_no_picture_is_not_kept_and_an_unknown_key_is_no_file(staff):
    product, text = ProductFactory(), picture()
    text.seek(0)
    text.write(b"no picture")
    text.seek(0)
    wrong = staff.post(page(product), sent(product, text))
    assert wrong.status_code == 200
    assert kept(wrong) is None
    assert "Choose a picture." in staff.post(page(product), sent(product, **{"images-0-upload-kept": "unknown"})).text
