"""Reviews on the pages of the shop, in mails and in the admin."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.tests.factories import StaffFactory
from cryptons.log_redaction import without_keys
from cryptons.mail.models import Mail
from reviews.asking import ask_for_reviews
from reviews.models import Review, ReviewMailOptOut
from reviews.moderation import approve_review
from reviews.tests.factories import ReviewFactory
from reviews.writing import edit_review
from shop.catalogue.changes import rebuild_search, sweep_search
from shop.models import Order
from shop.tests.factories import OrderFactory, OrderLineFactory

pytestmark = pytest.mark.django_db(transaction=True)

WRITE = "/p/kettle/review/"
OURS = {"Sec-Fetch-Site": "same-origin"}


def approve(review):
    approve_review(review.pk, actor="grace", at=timezone.now())


def test_a_buyer_writes_changes_and_deletes_a_review(client, ada, kettle):
    assert client.get(WRITE).headers["Location"] == f"/account/login/?next={WRITE}"
    client.force_login(ada)

    refused = client.post(WRITE, {"comment": "<b>Pours well.</b>"})
    assert refused.status_code == 400
    assert "Please choose from 1 to 5 stars." in refused.text
    assert "&lt;b&gt;Pours well.&lt;/b&gt;" in refused.text
    assert client.post(WRITE, {"rating": "6"}).status_code == 400

    assert client.post(WRITE, {"rating": "4", "comment": "<b>Pours well.</b>"}).headers["Location"] == "/p/kettle/"
    assert "waits for us to check it" in client.get(WRITE).text
    client.post(WRITE, {"rating": "5", "comment": "<b>Pours very well.</b>"})
    assert [(review.rating, review.approved) for review in Review.objects.all()] == [(5, False)]
    client.post("/p/kettle/review/delete/")
    assert not Review.objects.exists()


def test_a_product_s_pages_show_what_is_approved_at_once_and_as_plain_text(client, ada, kettle):
    rebuild_search()
    review = ReviewFactory(product=kettle, user=ada, rating=4, comment="<script>alert(1)</script>", verified_purchase=False)
    kept = [client.get(page).text for page in ("/p/kettle/", "/p/kettle/reviews/", "/search?sort=name")]
    assert "Nobody has reviewed this product yet." in kept[0]
    assert "Nobody has reviewed this product yet." in kept[1]
    assert "4 stars or more" not in kept[2]

    approve(review)
    sweep_search()

    for page in ("/p/kettle/", "/p/kettle/reviews/"):
        shown = client.get(page).text
        assert "Rated 4.0 of 5 by 1 customer" in re.sub(r"\s+", " ", shown)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "<script>alert" not in shown
        assert "csrfmiddlewaretoken" not in shown
    listed = client.get("/search?sort=rating&min_rating=4").text
    assert "4 stars or more (1)" in listed
    assert kettle.name in listed


def test_all_reviews_of_a_product_are_paged_and_sorted(client, kettle):
    for rating in [*[3] * 10, 5]:
        approve(ReviewFactory(product=kettle, rating=rating))

    def stars(query):
        return re.findall(r"(\d) of 5 stars", client.get(f"/p/kettle/reviews/{query}").text)

    assert stars("?sort=highest") == ["5", *["3"] * 9]
    assert stars("?sort=lowest&page=2") == ["5"]
    assert stars("?sort=nonsense&page=x") == ["5", *["3"] * 9]
    assert client.get("/p/nothing/reviews/").status_code == 404


def test_a_vote_is_counted_from_the_shop_s_own_pages_and_taken_back(client, ada, kettle):
    review = ReviewFactory(product=kettle)
    address = f"/reviews/{review.pk}/helpful/"
    approve(review)

    assert client.post(address, headers=OURS).headers["Location"] == "/account/login/?next=/p/kettle/"
    client.force_login(ada)
    assert client.post(address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(address, headers=OURS).headers["Location"] == "/p/kettle/#reviews"
    assert "1 person found this helpful" in re.sub(r"\s+", " ", client.get("/p/kettle/").text)
    client.post(address, headers=OURS)
    assert Review.objects.get().helpful_votes == 0


def delivered(user, product, *, days=3, **values):
    order = OrderFactory(user=user, status=Order.Status.DELIVERED, **values)
    Order.objects.filter(pk=order.pk).update(updated_at=timezone.now() - timedelta(days=days))
    OrderLineFactory(order=order, product=product)
    return order


def test_a_buyer_is_asked_once_some_days_after_delivery_and_never_after_saying_no(client, ada, kettle, settings):
    order = delivered(ada, kettle, language="de")
    delivered(ada, kettle, days=1)
    delivered(ada, kettle, days=60)
    delivered(None, kettle)
    delivered(ada, ReviewFactory(user=ada).product)
    assert ask_for_reviews(at=timezone.now()) == 0

    settings.REVIEW_MAIL_DAYS = 2
    assert [ask_for_reviews(at=timezone.now()) for _ in range(2)] == [1, 0]

    mail = Mail.objects.get()
    assert (mail.to, mail.key) == (order.email, f"review-request:{order.pk}")
    for text in (mail.text, mail.html):
        assert f"{settings.PUBLIC_URL}/de{WRITE}" in text
    link = re.search(r"/de/reviews/no-mails/\S+", mail.text)[0]
    assert without_keys(link) == "/de/reviews/no-mails/…/"
    assert client.get(link).status_code == 200
    assert not ReviewMailOptOut.objects.exists()
    client.post(link)
    assert client.get(f"{link[:-3]}x/").status_code == 404
    delivered(ada, kettle)
    assert ask_for_reviews(at=timezone.now()) == 0


def test_staff_decide_with_one_click_or_about_many(client, kettle):
    client.force_login(StaffFactory(username="grace"))
    one, other = ReviewFactory(product=kettle, rating=5), ReviewFactory(product=kettle, rating=2)
    page = client.get("/admin/reviews/review/?state=waiting").text
    act = f"/admin/reviews/review/{one.pk}/approve/do/"

    assert f'formaction="{act}?version=1"' in page
    assert "Reviews to decide about <strong>2</strong>" in re.sub(r"\s+", " ", client.get("/admin/").text)
    client.post(act)
    client.post("/admin/reviews/review/", {"action": "reject_selected", "_selected_action": [str(other.pk)]})

    assert list(Review.objects.order_by("-rating").values_list("approved", flat=True)) == [True, False]
    assert not Review.objects.waiting().exists()
    kettle.refresh_from_db()
    assert kettle.rating_count == 1
    client.post("/admin/reviews/review/", {"action": "delete_selected", "_selected_action": [str(one.pk)], "post": "yes"})
    kettle.refresh_from_db()
    assert kettle.rating_count == 0


def test_staff_do_not_approve_words_that_were_changed_after_they_saw_the_list(client, kettle):
    client.force_login(StaffFactory(username="grace"))
    review = ReviewFactory(product=kettle, comment="Pours well.")
    act = f"/admin/reviews/review/{review.pk}/approve/do/"
    edit_review(review.pk, at=timezone.now(), comment="Buy pills.")

    answer = client.post(f"{act}?version=1", follow=True)

    assert "The review was changed by someone else. Look at it again." in answer.text
    assert not Review.objects.get().approved
    client.post(f"{act}?version=2")
    assert Review.objects.get().approved


def test_staff_do_not_approve_many_of_which_one_was_changed_after_they_saw_the_list(client, kettle):
    client.force_login(StaffFactory(username="grace"))
    changed, other = ReviewFactory(product=kettle, comment="Pours well."), ReviewFactory(product=kettle)
    seen = dict(re.findall(r'name="(version-[^"]+)" value="(\d+)"', client.get("/admin/reviews/review/").text))
    assert len(seen) == 2
    edit_review(changed.pk, at=timezone.now(), comment="Buy pills.")

    chosen = {"action": "approve_selected", "_selected_action": [str(changed.pk), str(other.pk)], **seen}
    answer = client.post("/admin/reviews/review/", chosen, follow=True)

    assert "The review was changed by someone else. Look at it again." in answer.text
    assert list(Review.objects.published()) == [other]


@pytest.mark.parametrize("app", ["shop/product", "accounts/user"])
def test_staff_who_may_delete_products_and_users_delete_their_reviews_with_them(client, kettle, app):
    rights = Permission.objects.filter(codename__in=("view_product", "delete_product", "view_user", "delete_user"))
    grace = StaffFactory(username="grace", is_superuser=False)
    grace.user_permissions.set(rights)
    client.force_login(grace)
    review = ReviewFactory(product=kettle)
    row = kettle if app == "shop/product" else review.user

    client.post(f"/admin/{app}/{row.pk}/delete/", {"post": "yes"})

    assert not type(row).objects.filter(pk=row.pk).exists()
    assert not Review.objects.exists()
