import re
from decimal import Decimal

import pytest
from django.conf import settings
from django.core.cache import cache

from cryptons.response_cache import forget_all
from shop.catalogue.version import catalogue_changed
from shop.models import Product, ProductImage
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db
PAGES = ["/", "/c/kettles/", "/p/copper-kettle/", "/search", "/search?q=kettle", "/search/suggest?q=ket"]


@pytest.fixture
def kitchen():
    return CategoryFactory(name="Kitchen", slug="kitchen")


@pytest.fixture
def kettle(kitchen):
    kettles = CategoryFactory(name="Kettles", slug="kettles", parent=kitchen)
    return ProductFactory(slug="copper-kettle", category=kettles, price_minor=6_500_000, stock=100)


def text_of(response) -> str:
    """The page's words, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.parametrize("path", PAGES)
def test_the_page_of_a_new_visitor_sets_no_cookie_has_no_token_and_is_cacheable(client, kettle, path):
    response = client.get(path)

    assert response.status_code == 200
    assert not response.cookies
    assert b"csrfmiddlewaretoken" not in response.content
    assert response["Cache-Control"].startswith("public, max-age=")
    assert response["ETag"]


@pytest.mark.parametrize("path", PAGES)
def test_a_cached_page_needs_no_query(client, kettle, build_index, path, django_assert_num_queries):
    build_index()
    warm = client.get(path)

    with django_assert_num_queries(0):
        assert client.get(path).content == warm.content
        assert client.get(path, headers={"If-None-Match": warm["ETag"]}).status_code == 304
        assert client.head(path)["ETag"] == warm["ETag"]


def test_a_change_of_the_catalogue_is_visible_at_once(client, kettle, django_capture_on_commit_callbacks):
    client.get("/p/copper-kettle/")
    Product.objects.update(name="Iron Kettle")
    with django_capture_on_commit_callbacks(execute=True):
        catalogue_changed()

    assert "Iron Kettle" in text_of(client.get("/p/copper-kettle/"))


def test_the_page_of_a_visitor_with_a_session_is_private(client, kettle):
    client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32

    assert "private" in client.get("/")["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/c/kettles/", "/search"])
def test_a_long_list_needs_as_many_queries_as_a_short_one(client, kettle, build_index, path, django_assert_max_num_queries):
    def queries() -> int:
        build_index()
        forget_all()
        cache.clear()
        with django_assert_max_num_queries(12) as counted:
            assert client.get(path).status_code == 200
        return len(counted)

    for product in ProductFactory.create_batch(4, category=kettle.category, rating_count=1):
        ProductImage.objects.create(product=product, file="a.webp", width=1, height=1)
    few = queries()
    for product in ProductFactory.create_batch(45, category=kettle.category, rating_count=1):
        ProductImage.objects.create(product=product, file="a.webp", width=1, height=1)

    assert queries() == few


def test_a_search_with_a_typing_error_finds_the_product(client, kettle, build_index):
    build_index()

    assert "Copper Kettle" in text_of(client.get("/search?q=kettel"))


def test_a_list_can_be_filtered_and_sorted_and_shows_counts(client, kettle, kitchen, build_index):
    ProductFactory(name="Cheap Pan", category=kitchen, price_minor=1_000, stock=0, rating_average=Decimal("4.5"), rating_count=2)
    ProductFactory(name="Dear Pan", category=kitchen, price_minor=30_000)
    build_index()

    def names(query):
        return re.findall(r'product-card__name"><a[^>]*>([^<]+)', client.get(f"/c/kitchen/?{query}").content.decode())

    assert names("sort=price") == ["Cheap Pan", "Dear Pan", "Copper Kettle"]
    assert names("sort=-price")[0] == "Copper Kettle"
    assert names("min_price=10.01&max_price=300.00") == ["Dear Pan"]
    assert names("in_stock=on&sort=price") == ["Dear Pan", "Copper Kettle"]
    assert names("min_rating=4") == ["Cheap Pan"]
    words = text_of(client.get("/c/kitchen/"))
    assert "Kettles 1" in words
    assert "Under $25.00 1" in words
    assert "$1,000.00 and more 1" in words
    assert "4 stars or more (1)" in words
    assert "In stock only (2)" in words


def test_rating_filters_are_shown_once_a_product_is_rated(client, kettle, build_index):
    build_index()
    unrated = text_of(client.get("/c/kettles/?sort=name"))
    Product.objects.update(rating_average=Decimal("4.5"), rating_count=1)
    build_index()
    forget_all()
    rated = text_of(client.get("/c/kettles/?sort=name"))

    for words in ("Rating", "4 stars or more", "Best rated"):
        assert words not in unrated
        assert words in rated
    assert "Name" in unrated


def test_a_url_with_a_rating_works_while_no_product_is_rated(client, kettle, build_index):
    build_index()

    assert "Copper Kettle" in text_of(client.get("/c/kettles/?sort=rating"))
    assert "No products match these filters." in text_of(client.get("/c/kettles/?min_rating=4"))


@pytest.mark.parametrize(
    "query",
    [
        "min_price=abc", "min_price=-1", "min_price=1e999", "max_price=NaN", "max_price=0.001", "min_rating=6", "sort=drop",
        "page=x", "page=-1", "page=99999999999", "page=²", "category=nothing", "in_stock=maybe", "q=%00", "q=%ED%A0%80",
        "q=%F0%9F%8E%89", "q=" + "x" * 3_000, "q=%22unbalanced+AND+%28", "q=%D7%A9%D7%9C%D7%95%D7%9D", "q[$ne]=1", "q=a&q=b",
        "category=%00", "sort=%00", "min_price=%00", "page=%00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/search", "/c/kitchen/", "/search/suggest"])
def test_a_url_with_invalid_values_still_shows_a_page(client, kettle, build_index, path, query):
    build_index()

    assert client.get(f"{path}?{query}").status_code == 200


def test_an_invalid_filter_shows_an_error(client, kettle):
    assert "at most 2 decimal places" in text_of(client.get("/search?min_price=0.001"))


def test_a_page_beyond_the_last_redirects_to_the_first(client, kettle):
    response = client.get("/search?q=kettle&page=7")

    assert (response.status_code, response["Location"]) == (302, "/search?q=kettle")


def test_links_to_other_pages_keep_the_filters(client, kettle, build_index):
    ProductFactory.create_batch(30)
    build_index()

    page = client.get("/search?q=kettle&sort=price&page=1&utm_source=x").content.decode()

    assert "?q=kettle&amp;sort=price&amp;page=2" in page
    assert "utm_source" not in page


def test_empty_lists_say_what_to_do(client, kettle, build_index):
    build_index()

    assert "No products found." in text_of(client.get("/search?q=xylophone"))
    assert "No products match these filters." in text_of(client.get("/search?max_price=0.01"))
    Product.objects.all().delete()
    build_index()
    forget_all()
    assert "There are no products yet." in text_of(client.get("/c/kettles/"))
    assert "There are no products yet." in text_of(client.get("/"))


def test_product_text_and_search_text_are_escaped(client, build_index, kitchen):
    ProductFactory(name="<script>x</script>", slug="bad", description="<img src=x onerror=y>", category=kitchen)
    build_index()

    for path in ("/", "/p/bad/", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E", "/search/suggest?q=script"):
        content = client.get(path).content.decode()
        assert "<script>" not in content
        assert "<img src=x" not in content


@pytest.mark.parametrize(
    "path", ["/c/nothing/", "/p/nothing/", "/p/%00/", "/media/nothing.webp", "/media/../settings.py", "/media/%00.webp"]
)
def test_an_unknown_page_is_a_404(client, path):
    assert client.get(path).status_code == 404


def test_an_unlisted_product_is_a_404(client, kettle):
    Product.objects.update(is_listed=False)

    assert client.get("/p/copper-kettle/").status_code == 404


@pytest.mark.parametrize("path", ["/", "/search", "/p/copper-kettle/", "/c/kettles/", "/media/a.webp"])
def test_a_post_request_to_a_catalogue_page_is_refused(client, kettle, path):
    assert client.post(path).status_code == 405


def test_a_product_page_shows_price_stock_description_and_cart_form(client, kettle):
    page = client.get("/p/copper-kettle/")
    words = text_of(page)

    assert "$65,000.00" in words
    assert "≈ 1.00000000 BTC" in words
    assert "In stock" in words
    assert "Boils water." in words
    assert "Home Kitchen Kettles Copper Kettle" in words
    assert f'name="product" value="{kettle.pk}"' in page.content.decode()
    assert 'action="/cart/add/"' in page.content.decode()


@pytest.mark.parametrize("stock, words", [(100, "In stock"), (6, "In stock"), (5, "Only 5 left"), (1, "Only 1 left"), (0, "Sold out")])
def test_a_product_page_says_how_many_are_left(client, kettle, stock, words):
    Product.objects.update(stock=stock)
    page = client.get("/p/copper-kettle/")

    assert words in text_of(page)
    assert (b"/cart/add/" in page.content) == (stock > 0)


def test_a_product_page_shows_every_picture(client, kettle):
    for number in range(3):
        ProductImage.objects.create(
            product=kettle, file=f"{number}.webp", thumbnail=f"{number}-small.webp", alt=f"View {number}", width=4, height=3
        )

    page = client.get("/p/copper-kettle/").content.decode()

    assert [f"/media/{n}.webp" in page and f'alt="View {n}"' in page for n in range(3)] == [True] * 3
    assert "/media/2-small.webp" in page


def test_search_suggestions_are_links_to_products(client, kettle, build_index):
    build_index()

    assert b'<a href="/p/copper-kettle/">Copper Kettle</a>' in client.get("/search/suggest?q=kett").content
    assert client.get("/search/suggest").content.strip() == b""


def test_media_files_are_cached_for_a_year_and_only_pictures_are_served(client, settings):
    folder = settings.MEDIA_ROOT
    folder.mkdir(parents=True)
    (folder / "a.webp").write_bytes(b"picture")
    (folder / "a.html").write_bytes(b"<script>")
    (folder.parent / "secret.webp").write_bytes(b"secret")
    (folder / "out.webp").symlink_to(folder.parent / "secret.webp")

    response = client.get("/media/a.webp")

    assert (response.status_code, b"".join(response.streaming_content)) == (200, b"picture")
    assert response["Content-Type"] == "image/webp"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert client.get("/media/a.webp", headers={"If-Modified-Since": response["Last-Modified"]}).status_code == 304
    for path in ("a.html", "out.webp", "../secret.webp", "%2e%2e/secret.webp", "", "x" * 5_000 + ".webp"):
        assert client.get(f"/media/{path}").status_code == 404
