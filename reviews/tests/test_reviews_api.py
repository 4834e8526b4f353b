"""Reviews over the API: who writes, reads, votes and decides."""

import pytest

from accounts.tests.factories import ApiClient, UserFactory
from cryptons.audit.models import Entry
from cryptons.events.models import Event, WebhookDelivery
from cryptons.events.tests.receiver import make_endpoint
from reviews.models import HelpfulVote, Review
from reviews.tests.factories import ReviewFactory
from shop.models import Order
from shop.tests.factories import OrderFactory, OrderLineFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/reviews"


def body(product, **values):
    return {"productId": str(product.pk), "rating": 4, "comment": "Pours well.", **values}


def shown(product, query=""):
    answer = ApiClient().get(f"{URL}/product/{product.pk}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def rating_of(product):
    return ApiClient().get(f"/api/products/{product.pk}").json()["data"]["ratings"]


def test_a_review_is_shown_and_counted_while_it_is_approved(api, ada, moderator, kettle):
    make_endpoint("https://erp.example/hooks")
    posted = api.post(URL, body(kettle))
    review = posted.json()["data"]

    assert posted.status_code == 201
    names = "productId", "userId", "username", "rating", "comment", "approved", "verifiedPurchase", "helpfulVotes"
    assert [review[name] for name in names] == [str(kettle.pk), str(ada.pk), "ada", 4, "Pours well.", False, False, 0]
    assert (shown(kettle)["data"], rating_of(kettle)) == ([], {"average": "0.00", "count": 0})

    for _ in range(2):
        approved = moderator.post(f"{URL}/{review['id']}/approve").json()["data"]
        assert (approved["approved"], approved["status"]) == (True, "approved")
        page = shown(kettle)
        assert [row["id"] for row in page["data"]] == [review["id"]]
        assert (page["meta"]["total"], page["meta"]["ratings"]) == (1, {"average": "4.00", "count": 1})
        assert rating_of(kettle) == {"average": "4.00", "count": 1}

    changed = api.patch(f"{URL}/{review['id']}", {"rating": 1}, content_type="application/json").json()["data"]
    assert (changed["rating"], changed["comment"], changed["approved"]) == (1, "Pours well.", False)
    assert (shown(kettle)["data"], rating_of(kettle)["count"]) == ([], 0)

    assert moderator.post(f"{URL}/{review['id']}/reject").json()["data"]["status"] == "rejected"
    assert api.delete(f"{URL}/{review['id']}").status_code == 204
    events = "submitted", "approved", "updated", "rejected", "deleted"
    assert list(Event.objects.order_by("seq").values_list("type", flat=True)) == [f"review.{event}" for event in events]
    assert set(WebhookDelivery.objects.values_list("type", flat=True)) == {f"review.{event}" for event in events}
    acts = Entry.objects.filter(object_type="review").order_by("at").values_list("action", "person")
    assert list(acts) == [("review.approved", "grace"), ("review.rejected", "grace")]


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_a_decision_that_names_a_version_is_about_no_other_one(api, moderator, kettle, act):
    address = f"{URL}/{api.post(URL, body(kettle)).json()['data']['id']}"
    version = moderator.get(URL).json()["data"][0]["version"]
    api.patch(address, {"comment": "Buy pills."}, content_type="application/json")

    assert moderator.post(f"{address}/{act}?version={version}").status_code == 409
    assert Review.objects.get().decided_at is None
    assert moderator.post(f"{address}/{act}?version=x").status_code == 400
    assert moderator.post(f"{address}/{act}?version={version + 1}").json()["data"]["version"] == version + 2


def test_a_vote_for_a_review_that_is_being_deleted_is_not_found(api, kettle, monkeypatch):
    review = ReviewFactory(product=kettle, approved=True)
    monkeypatch.setattr("reviews.api.views._find", lambda *_args, **_options: review)
    Review.objects.filter(pk=review.pk).delete()

    assert api.post(f"{URL}/{review.pk}/helpful").status_code == 404
    assert not HelpfulVote.objects.exists()


def test_a_user_reviews_a_product_once(api, kettle):
    assert api.post(URL, body(kettle)).status_code == 201

    second = api.post(URL, body(kettle, rating=1))

    assert (second.status_code, second.json()["error"]["code"]) == (409, "CONFLICT")
    assert Review.objects.get().rating == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [*(("rating", rating) for rating in (0, 6, "4", 4.5, None)), ("comment", "x" * 5_001), ("comment", "a\u202eb"), ("productId", "x")],
)
def test_what_is_no_review_is_refused_at_its_field(api, kettle, field, value):
    answer = api.post(URL, body(kettle, **{field: value}))

    assert (answer.status_code, [row["field"] for row in answer.json()["error"]["details"]]) == (400, [field])
    assert not Review.objects.exists()


def test_an_unlisted_product_has_no_reviews(api):
    product = ReviewFactory(product__is_listed=False, approved=True).product

    assert api.post(URL, body(product)).status_code == 404
    assert api.get(f"{URL}/product/{product.pk}").status_code == 404


def test_only_the_author_changes_a_review_and_only_author_or_moderator_delete_it(api, moderator, kettle):
    review = ReviewFactory(product=kettle, approved=True)
    address = f"{URL}/{review.pk}"

    assert [client.patch(address, {"rating": 1}, content_type="application/json").status_code for client in (api, moderator)] == [403, 403]
    assert api.delete(address).status_code == 403
    assert [api.post(f"{address}/{act}").status_code for act in ("approve", "reject")] == [403, 403]
    assert ApiClient().post(URL, body(kettle)).status_code == 401
    assert Review.objects.get().rating == 4
    assert moderator.delete(address).status_code == 204
    assert Entry.objects.get(object_type="review").action == "review.deleted"


def test_each_user_has_one_vote_and_none_for_an_own_review(api, ada, kettle):
    review, own = ReviewFactory(product=kettle, approved=True), ReviewFactory(product=kettle, user=ada, approved=True)
    hidden = ReviewFactory(product=kettle)
    bob = UserFactory()

    def vote(client, voted):
        return client.post(f"{URL}/{voted.pk}/helpful").status_code

    def votes():
        return {row["id"]: row["helpfulVotes"] for row in shown(kettle)["data"]}[str(review.pk)]

    assert votes() == 0
    assert [vote(api, review), vote(api, review), vote(ApiClient(bob), review)] == [201, 409, 201]
    assert [vote(api, own), vote(api, hidden)] == [409, 404]
    assert votes() == 2
    assert shown(kettle, "?sort=helpful")["data"][0]["id"] == str(review.pk)
    assert [api.delete(f"{URL}/{review.pk}/helpful").status_code for _ in range(2)] == [204, 204]
    assert votes() == 1
    bob.delete()
    assert votes() == 0


@pytest.mark.parametrize(
    ("status", "payment_status", "is_verified"),
    [("delivered", "unpaid", True), ("processing", "paid", True), ("pending", "pending", False), ("cancelled", "refunded", False)],
)
def test_a_purchase_is_verified_by_a_paid_or_delivered_order_of_the_user(api, ada, kettle, status, payment_status, is_verified):
    order = OrderFactory(user=ada, status=status, payment_status=payment_status)
    OrderLineFactory(order=order, product=kettle)
    OrderLineFactory(order=OrderFactory(status=Order.Status.DELIVERED), product=(other := ProductFactory()))

    assert api.post(URL, body(kettle)).json()["data"]["verifiedPurchase"] is is_verified
    assert api.post(URL, body(other)).json()["data"]["verifiedPurchase"] is False


def test_lists_go_on_after_a_page_and_are_sorted_and_filtered(moderator, kettle):
    reviews = [ReviewFactory(product=kettle, rating=rating, approved=True) for rating in (3, 5, 1)]
    waiting = ReviewFactory(product=kettle)

    def ids(answer):
        return [row["id"] for row in answer["data"]]

    newest = [str(review.pk) for review in reversed(reviews)]
    first = shown(kettle, "?limit=2")
    assert ids(first) == newest[:2]
    assert ids(shown(kettle, f"?limit=2&after={first['meta']['next']}")) == newest[2:]
    assert [row["rating"] for row in shown(kettle, "?sort=lowest")["data"]] == [1, 3, 5]
    assert ids(moderator.get(f"{URL}?status=waiting").json()) == [str(waiting.pk)]
    assert len(ids(moderator.get(URL).json())) == 4
    assert moderator.get(f"{URL}?status=new").status_code == 400
