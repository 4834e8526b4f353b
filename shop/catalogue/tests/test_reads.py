import pytest

from shop.catalogue.reads import count_categories, find_products, find_shown, read_categories
from shop.models import Category, Product, ProductImage
from shop.search import Query
from shop.tests.factories import CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def home():
    return CategoryFactory(name="Home", slug="home")


@pytest.fixture
def kitchen(home):
    return CategoryFactory(name="Kitchen", slug="kitchen", parent=home)


@pytest.fixture
def kettles(kitchen):
    return CategoryFactory(name="Kettles", slug="kettles", parent=kitchen)


def test_the_path_of_a_category_starts_at_the_root(home, kitchen, kettles):
    assert read_categories().path(kettles) == [home, kitchen, kettles]


def test_a_category_includes_the_products_of_its_subcategories(home, kitchen, kettles):
    product, other = ProductFactory(category=kettles), ProductFactory()

    assert read_categories().ids_below(home) == {home.pk, kitchen.pk, kettles.pk}
    assert find_products(Query(category_ids=read_categories().ids_below(home))).products == [product]
    assert set(find_products(Query()).products) == {product, other}


def test_the_count_of_a_category_includes_its_subcategories(home, kitchen, kettles):
    ProductFactory(category=kettles)
    ProductFactory(category=kitchen)

    found = find_products(Query())

    assert [found.category_counts[one.pk] for one in (home, kitchen, kettles)] == [2, 2, 1]


def test_the_category_filter_shows_the_path_and_the_children_that_have_products(home, kitchen, kettles):
    CategoryFactory(name="Empty", parent=kitchen)
    garden = CategoryFactory(name="Garden")
    ProductFactory(category=kettles)
    ProductFactory(category=garden)

    inside = count_categories(find_products(Query(category_ids=read_categories().ids_below(kitchen))), kitchen)
    outside = count_categories(find_products(Query()), None)

    assert [(one.category.name, one.depth, one.count, one.is_current) for one in inside] == [
        ("Home", 0, 1, False),
        ("Kitchen", 1, 1, True),
        ("Kettles", 2, 1, False),
    ]
    assert [one.category.name for one in outside] == ["Garden", "Home"]


def test_categories_in_a_loop_are_read_without_an_error(home, kitchen):
    Category.objects.filter(pk=home.pk).update(parent=kitchen)

    tree = read_categories()

    assert set(tree.roots) == {home, kitchen}
    assert tree.ids_below(home) == {home.pk}
    assert len(tree.path(tree.find("kitchen"))) == 2


@pytest.mark.parametrize("rows", [5, 50])
def test_a_long_list_of_products_needs_as_many_queries_as_a_short_one(rows, build_index, django_assert_num_queries):
    for product in ProductFactory.create_batch(rows):
        ProductImage.objects.create(product=product, file="a.png", width=1, height=1)
    build_index()

    with django_assert_num_queries(3):
        found = find_products(Query(limit=100))
        shown = [(product.category.name, [image.file.name for image in product.images.all()]) for product in found.products]

    assert len(shown) == rows
    assert found.engine == "tantivy"


def test_products_deleted_or_unlisted_since_indexing_are_not_shown(build_index):
    kept, gone, hidden = ProductFactory(), ProductFactory(), ProductFactory()
    build_index()
    gone.delete()
    Product.objects.filter(pk=hidden.pk).update(is_listed=False)

    assert find_products(Query()).products == [kept]


def test_products_are_returned_in_the_order_of_the_search(build_index):
    cheap, dear = ProductFactory(price_minor=1), ProductFactory(price_minor=2)
    build_index()

    assert find_products(Query(sort="-price")).products == [dear, cheap]
    assert find_products(Query(sort="price", limit=1, page=2)).products == [dear]


def test_the_number_of_pages_is_computed_from_all_results(build_index):
    ProductFactory.create_batch(5)
    build_index()

    page = find_products(Query(limit=2, page=2)).page

    assert (page.number, page.paginator.num_pages, page.paginator.count, page.has_next()) == (2, 3, 5, True)


def test_an_unlisted_product_cannot_be_read():
    product = ProductFactory(is_listed=False)

    assert find_shown(slug=product.slug) is None
