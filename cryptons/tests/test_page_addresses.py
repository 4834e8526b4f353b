"""An address with a slash too many or too few leads to the page."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("/search/", "/search"),
        ("/search/?q=tin%20cup&page=2", "/search?q=tin%20cup&page=2"),
        ("/products/?sort=price", "/search?sort=price"),
        ("/products", "/search"),
        ("/p/copper-kettle", "/p/copper-kettle/"),
        ("/c/kettles?sort=price", "/c/kettles/?sort=price"),
        ("/cart", "/cart/"),
        ("/account/login?next=/cart/", "/account/login/?next=/cart/"),
        ("/de/cart", "/de/cart/"),
        ("/admin", "/admin/"),
    ],
)
def test_a_page_is_found_by_its_other_form(client, settings, asked, answered):
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    for method in (client.get, client.head):
        answer = method(asked)
        assert (answer.status_code, answer["Location"]) == (301, answered)


@pytest.mark.parametrize("path", ["/nothing", "/nothing/", "/p/no-such-product/", "/p/a/b", "/api/products/"])
def test_what_is_no_page_in_either_form_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_a_form_is_not_sent_to_another_address():
    answer = Client().post("/cart/add", {"product": "1"})
    assert answer.status_code == 404


def test_staff_are_sent_to_the_other_form_inside_the_admin(admin_client):
    assert admin_client.get("/admin/shop/order?q=7")["Location"] == "/admin/shop/order/?q=7"
    assert admin_client.get("/admin/nothing").status_code == 404
