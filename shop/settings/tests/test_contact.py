"""Who writes with the contact form reaches the merchant, who answers with one click."""

import email
import email.policy

import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from cryptons.db import new_id
from cryptons.mail.message import message_bytes
from cryptons.mail.models import Mail
from shop.settings.changes import change_settings
from shop.settings.page_changes import add_page, publish_page
from shop.tests.factories import OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)
GIVEN = {"email": "ada@example.com", "order": "", "message": "Do you sell larger kettles?"}


@pytest.fixture(autouse=True)
def shop_address(settings):
    settings.STAFF_EMAIL = ["grace@shop.example"]


def publish_contact() -> None:
    page = add_page({"slug": "contact", "texts": {"en": {"title": "Reach us", "text": "By post or below."}}}, pk=new_id())
    publish_page(page.pk, by="grace", at=timezone.now())


def send(client, **changes: str):
    return client.post("/contact/", GIVEN | changes, follow=True)


def test_a_message_reaches_the_shop_and_its_answer_the_writer(client):
    page = send(client, order=" abcde-12345 ", message="Where is it?\n<b>Please</b> & thanks")

    assert "We have your message, and will answer to ada@example.com." in page.text
    mail = Mail.objects.get()
    read = email.message_from_bytes(message_bytes(mail), policy=email.policy.default)
    assert (read["To"], read["Reply-To"], read["Subject"]) == ("grace@shop.example", "ada@example.com", "Message from ada@example.com")
    assert "About order ABCDE-12345\n\nWhere is it?\n<b>Please</b> & thanks\n" in mail.text.replace("\r\n", "\n")
    assert "&lt;b&gt;Please&lt;/b&gt; &amp; thanks" in mail.html


def test_the_shops_own_address_comes_before_that_of_staff(client):
    change_settings({"email": "hello@shop.example"})

    send(client)

    assert Mail.objects.get().to == "hello@shop.example"


def test_a_shop_without_an_address_has_no_form_and_no_link_to_it(client, settings):
    settings.STAFF_EMAIL = []
    publish_contact()

    assert (client.get("/contact/").status_code, client.post("/contact/", GIVEN).status_code) == (404, 404)
    assert "/contact/" not in client.get("/").text.replace("/pages/contact/", "")
    assert '<form method="post" action="/contact/"' not in client.get("/pages/contact/").text


def test_the_form_stands_below_the_words_of_the_contact_page_only(client):
    assert 'href="/contact/"' in client.get("/").text
    publish_contact()

    page, own = client.get("/pages/contact/").text, client.get("/contact/").text

    assert all("By post or below." in text and 'action="/contact/"' in text for text in (page, own))
    assert 'href="/contact/"' not in client.get("/").text


def test_the_form_knows_who_is_logged_in_and_which_order_is_asked_about(client):
    user = UserFactory.create(email="buyer@example.com")
    order = OrderFactory.create(user=user)
    client.force_login(user)

    assert f'href="/contact/?order={order.number}"' in client.get(f"/orders/{order.number}/").text
    page = client.get(f"/contact/?order={order.number}").text

    assert 'value="buyer@example.com"' in page
    assert f'value="{order.number}"' in page


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "ada"},
        {"email": "ada@example.com\nBcc: eve@example.com"},
        {"message": ""},
        {"message": "short"},
        {"message": "x" * 4001},
        {"message": "NUL is \0 refused"},
        {"order": "x" * 31},
    ],
)
def test_a_message_that_cannot_be_sent_stays_in_the_form_with_the_reason(client, changes):
    page = send(client, **changes)

    assert page.status_code == 200
    assert "Please check the marked fields." in page.text
    assert not Mail.objects.exists()


def test_the_same_message_sent_twice_is_one_mail_and_another_one_is_two(client):
    send(client)
    send(client)
    send(client, message="Do you sell smaller kettles?")

    assert Mail.objects.count() == 2


def test_a_program_that_fills_every_field_sends_nothing_and_learns_nothing(client):
    page = send(client, website="https://spam.example")

    assert "We have your message" in page.text
    assert not Mail.objects.exists()


def test_an_address_sends_five_messages_an_hour_and_a_sixth_stays_in_the_form(client):
    for number in range(5):
        assert send(client, message=f"This is message {number}").status_code == 200

    page = send(client, message="This is one too many")

    assert page.status_code == 429
    assert "This is one too many" in page.text
    assert Mail.objects.count() == 5


def test_words_that_are_not_right_do_not_count(client):
    for _number in range(6):
        send(client, message="")

    assert send(client).status_code == 200
    assert Mail.objects.count() == 1
