"""The merchant's own pages: drafts that nobody sees, versions that stay, shown at once, in each language of the shop."""

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, IntegrityError
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from accounts.tests.factories import StaffFactory
from cryptons.audit.models import Entry
from cryptons.db import new_id
from shop.settings import current, page_changes
from shop.settings.models import PAGE_KINDS, ContentPage, PageVersion
from shop.settings.outlines import outline
from shop.settings.page_changes import PageMoved, PageRefused, add_page, change_page, hide_page, publish_page, restore_version

pytestmark = pytest.mark.django_db(transaction=True)
ADD = "/admin/settings/contentpage/add/"
ENGLISH = {"en": {"title": "Terms", "text": "All sales are **final**."}}


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(StaffFactory.create(username="grace"))
    return client


def draft(slug: str = "terms", **values: object) -> ContentPage:
    return add_page({"slug": slug, "texts": ENGLISH, **values}, pk=new_id())


def published(slug: str = "terms", **values: object) -> ContentPage:
    return publish_page(draft(slug, **values).pk, by="grace", at=timezone.now())


def reword(page: ContentPage, text: str) -> ContentPage:
    texts = {"en": {"title": "Terms", "text": text}}
    return change_page(page.pk, {"texts": texts}, version=ContentPage.objects.get(pk=page.pk).version)


def address(page: ContentPage, act: str = "change/") -> str:
    return f"/admin/settings/contentpage/{page.pk}/{act}"


def test_a_draft_is_seen_by_nobody(client):
    draft()

    assert client.get("/pages/terms/").status_code == 404
    assert "/pages/terms/" not in client.get("/").text
    assert client.get("/api/pages").json()["data"] == []
    assert client.get("/api/pages/terms").status_code == 404


def test_a_published_page_shows_at_once_with_a_link_in_the_footer_of_each_page(client):
    assert "/pages/terms/" not in client.get("/").text

    published()

    assert '<a href="/pages/terms/">Terms</a>' in client.get("/").text
    assert '<a href="/de/pages/terms/" lang="en">Terms</a>' in client.get("/de/search").text
    page = client.get("/pages/terms/")
    assert "<h1>Terms</h1>" in page.text
    assert "<strong>final</strong>" in page.text
    assert 'hreflang="de" href="http' in page.text
    assert page.headers["ETag"]


def test_a_page_of_a_language_that_is_missing_has_the_words_of_the_first_one_and_says_so(client):
    published()

    assert '<article class="prose stack" lang="en">' in client.get("/de/pages/terms/").text
    assert '<article class="prose stack">' in client.get("/pages/terms/").text


def test_each_language_has_its_own_words(client):
    published(texts={**ENGLISH, "de": {"title": "AGB", "text": "Kein Umtausch."}})

    page = client.get("/de/pages/terms/").text

    assert "<h1>AGB</h1>" in page
    assert 'href="/de/pages/terms/">AGB</a>' in page
    assert 'prose stack">' in page


def test_a_page_that_is_not_in_the_footer_is_still_read_at_its_address(client):
    published("about-us", in_footer=False)

    assert "/pages/about-us/" not in client.get("/").text
    assert client.get("/pages/about-us/").status_code == 200


def test_a_change_of_the_draft_shows_nothing_until_it_is_published(client):
    page = published()

    reword(page, "New words.")

    assert "New words." not in client.get("/pages/terms/").text
    publish_page(page.pk, by="ada", at=timezone.now())
    assert "New words." in client.get("/pages/terms/").text


def test_a_version_stays_as_it_was_published():
    page = published()
    reword(page, "New words.")
    publish_page(page.pk, by="ada", at=timezone.now())

    assert list(page.versions.values_list("number", "published_by")) == [(2, "ada"), (1, "grace")]
    assert page.versions.get(number=1).texts == ENGLISH
    assert ContentPage.objects.get().published == 2


def test_to_publish_the_same_words_again_makes_no_version():
    page = published()

    publish_page(page.pk, by="ada", at=timezone.now())

    assert PageVersion.objects.count() == 1


def test_a_hidden_page_is_gone_and_comes_back_as_the_version_that_it_was(client):
    page = published()
    client.get("/pages/terms/")
    assert client.get("/api/pages/terms").status_code == 200
    assert len(client.get("/api/pages").json()["data"]) == 1

    hide_page(page.pk)

    assert client.get("/pages/terms/").status_code == 404
    assert client.get("/api/pages/terms").status_code == 404
    assert client.get("/api/pages").json()["data"] == []
    assert "/pages/terms/" not in client.get("/").text
    publish_page(page.pk, by="ada", at=timezone.now())
    assert client.get("/api/pages/terms").json()["data"]["version"] == 1


def test_a_restored_version_is_the_draft_and_shows_when_it_is_published(client):
    page = published()
    reword(page, "New words.")
    publish_page(page.pk, by="ada", at=timezone.now())

    restore_version(page.pk, 1, version=ContentPage.objects.get(pk=page.pk).version)

    assert "New words." in client.get("/pages/terms/").text
    publish_page(page.pk, by="ada", at=timezone.now())
    assert "final" in client.get("/pages/terms/").text
    assert ContentPage.objects.get().published == 3


def test_a_language_that_the_shop_has_no_more_keeps_no_page_from_being_published(settings):
    page = draft()
    change_page(page.pk, {"texts": {**ENGLISH, "fr": {"title": "Conditions", "text": "[[le nom]]"}}}, version=1)

    assert publish_page(page.pk, by="ada", at=timezone.now()).published == 1


def test_of_two_changes_of_the_same_draft_the_second_one_is_refused():
    page = draft()
    change_page(page.pk, {"position": 1}, version=1)

    with pytest.raises(PageMoved):
        change_page(page.pk, {"position": 2}, version=1)

    assert ContentPage.objects.get().position == 1


def test_of_two_publications_at_once_the_second_one_is_refused(monkeypatch):
    page = published()
    reword(page, "New words.")
    stale = ContentPage.objects.get()
    publish_page(page.pk, by="ada", at=timezone.now())
    reword(page, "Newer words.")
    monkeypatch.setattr(page_changes, "_read", lambda pk: stale)

    with pytest.raises(PageMoved):
        publish_page(page.pk, by="eve", at=timezone.now())

    assert list(PageVersion.objects.values_list("number", flat=True)) == [2, 1]


def test_a_number_is_given_once():
    page = published()

    with pytest.raises((IntegrityError, DatabaseError)):
        PageVersion.objects.create(page=page, number=1, texts=ENGLISH)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"de": {"title": "AGB", "text": "Kein Umtausch."}}, "no text in the shop's first language"),
        ({"en": {"title": "Terms", "text": ""}}, "Title or text is missing in the language en."),
        ({**ENGLISH, "de": {"title": "AGB", "text": ""}}, "Title or text is missing in the language de."),
    ],
)
def test_an_unfinished_page_cannot_be_published(texts, words):
    page = draft(texts=texts)

    with pytest.raises(PageRefused, match=words):
        publish_page(page.pk, by="grace", at=timezone.now())

    assert ContentPage.objects.get().published is None


def test_links_in_the_footer_cost_no_query(client, django_assert_num_queries):
    published()
    client.get("/")

    with django_assert_num_queries(0):
        assert [page.title for page in current.current_pages()] == ["Terms"]


def test_the_links_of_the_footer_outlast_an_outage(monkeypatch):
    published()
    current.current_pages()

    def fail() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(current, "stored_settings", fail)
    monkeypatch.setattr(current, "settings_version", lambda: "away-1")

    assert [page.slug for page in current.current_pages()] == ["terms"]


def test_the_api_has_the_words_by_language(client, settings):
    published(texts={**ENGLISH, "de": {"title": "AGB", "text": "Kein Umtausch."}})

    (link,) = client.get("/api/pages").json()["data"]
    data = client.get("/api/pages/terms").json()["data"]

    assert (link["slug"], link["version"], link["inFooter"]) == ("terms", 1, True)
    assert link["titles"] == {"en": "Terms", "de": "AGB"}
    assert link["url"] == data["url"] == f"{settings.PUBLIC_URL}/pages/terms/"
    assert data["texts"]["en"]["markdown"] == "All sales are **final**."
    assert data["texts"]["de"] == {"title": "AGB", "markdown": "Kein Umtausch.", "html": "<p>Kein Umtausch.</p>\n"}
    assert client.get("/api/pages/nothing").status_code == 404


def test_staff_write_a_page_and_publish_it_with_one_button(staff, client):
    words = {"title_en": "Terms", "text_en": "Buy.\r\nPay.", "title_de": "", "text_de": "", "in_footer": "on", "position": "1"}

    answer = staff.post(ADD, {"kind": "terms", **words, "_publish": "Save and publish"})

    page = ContentPage.objects.get()
    assert answer.headers["Location"] == address(page)
    assert (page.slug, page.texts, page.published, page.position) == ("terms", {"en": {"title": "Terms", "text": "Buy.\nPay."}}, 1, 1)
    assert "Buy.\nPay." in client.get("/pages/terms/").text
    assert page.versions.get().published_by == "grace"
    assert list(Entry.objects.filter(object_type="contentpage").order_by("id").values_list("action", flat=True)) == ["add", "publish"]

    staff.post(address(page), {**words, "text_en": "Pay.", "seen_version": page.version})
    assert "Buy." in client.get("/pages/terms/").text
    staff.post(address(page), {**words, "seen_version": ContentPage.objects.get().version, "_hide": "Hide"})
    assert client.get("/pages/terms/").status_code == 404
    assert ContentPage.objects.get().texts["en"]["text"] == "Buy.\nPay."


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"kind": "other", "title_en": "About us"}, "Write the last part of the page"),
        ({"kind": "other", "slug": "terms", "title_en": "About us"}, "belongs to a page that you can choose above"),
        ({"kind": "other", "slug": "about-us", "title_en": "About us"}, "Another page has this address already."),
        ({"kind": "terms"}, "Write a title."),
        ({"kind": "terms", "title_en": "Terms", "_publish": "1"}, "Title or text is missing in the language en."),
        ({"kind": "imprint", "title_en": "Imprint"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_on_the_form(staff, sent, words):
    draft("about-us")
    draft("imprint")

    answer = staff.post(ADD, {"position": "0", **sent})

    assert words in answer.text.replace("&#x27;", "'")
    assert ContentPage.objects.count() == 2


def test_a_form_that_was_opened_before_another_change_is_refused(staff):
    page = draft()
    change_page(page.pk, {"position": 1}, version=1)

    answer = staff.post(address(page), {"title_en": "Terms", "text_en": "Old.", "position": "0", "seen_version": "1"})

    assert "Somebody else has changed the page" in answer.text
    assert ContentPage.objects.get().texts == ENGLISH


def test_a_change_between_the_check_of_a_form_and_its_write_is_refused_with_a_sentence(staff, monkeypatch):
    page = draft()

    def moved(*_args: object, **_named: object) -> None:
        raise PageMoved

    monkeypatch.setattr("shop.settings.page_admin.change_page", moved)
    form = {"title_en": "Terms", "text_en": "Old.", "position": "0", "seen_version": "1"}

    assert "Somebody else has changed the page" in staff.post(address(page), form, follow=True).text


def test_staff_see_the_draft_as_the_page_will_look_and_no_search_engine_does(staff, client):
    page = draft()

    preview = staff.get(address(page, "preview/"))

    assert "<strong>final</strong>" in preview.text
    assert '<meta name="robots" content="noindex, nofollow">' in preview.text
    assert "no-store" in preview.headers["Cache-Control"]
    assert client.get(address(page, "preview/")).status_code == 302


def test_staff_see_each_version_and_restore_it(staff):
    page = published()
    reword(page, "New words.")

    assert "All sales are **final**." in staff.get(address(page, "versions/1/")).text
    assert staff.get(address(page, "versions/2/")).status_code == 404
    seen = ContentPage.objects.get().version
    reword(page, "Newer words.")
    refused = staff.post(address(page, "versions/1/"), {"version": seen})
    assert (refused.status_code, ContentPage.objects.get().texts["en"]["text"]) == (409, "Newer words.")

    restored = staff.post(address(page, "versions/1/"), {"version": seen + 1})
    assert restored.headers["Location"] == address(page)
    assert ContentPage.objects.get().texts == ENGLISH


def test_who_may_only_look_at_pages_restores_none(client):
    page = published()
    reword(page, "New words.")
    looker = StaffFactory.create(is_superuser=False)
    looker.user_permissions.add(Permission.objects.get(codename="view_contentpage"))
    client.force_login(looker)

    assert client.get(address(page)).status_code == 200
    assert "Restore as draft" not in client.get(address(page, "versions/1/")).text
    assert client.post(address(page, "versions/1/")).status_code == 403
    assert client.post(address(page), {"_publish": "1"}).status_code == 403
    assert ContentPage.objects.get().texts["en"]["text"] == "New words."


def test_a_draft_can_be_deleted_and_a_page_that_was_published_cannot(staff):
    page, never_shown = published(), draft("about-us")
    hide_page(page.pk)

    assert staff.post(address(page, "delete/"), {"post": "yes"}).status_code == 403
    assert staff.post(address(never_shown, "delete/"), {"post": "yes"}).status_code == 302
    assert ContentPage.objects.get().pk == page.pk


@pytest.mark.parametrize("kind", PAGE_KINDS)
def test_the_form_of_a_new_page_begins_with_an_outline_that_cannot_be_published_as_it_is(staff, kind):
    words = outline(kind)
    form = {f"{name}_{language}": text for language, pair in words.items() for name, text in pair.items()}

    shown = staff.get(f"{ADD}?kind={kind}").text
    answer = staff.post(ADD, {"kind": kind, "position": "0", **form, "_publish": "1"})

    assert set(words) == {"en", "de"}
    assert all(f'value="{pair["title"]}"' in shown and escape(pair["text"]) in shown for pair in words.values())
    assert answer.text.count("Fill in what stands in double brackets: [[") == 2
    assert not ContentPage.objects.exists()


def test_a_draft_says_what_is_left_to_fill_in_until_nothing_is(staff):
    page = draft(texts={"en": {"title": "Imprint", "text": "[[Name]]\n[[Place\nand street]]"}})

    shown = staff.get(address(page)).text

    assert "The draft cannot be published yet." in shown
    assert "double brackets: [[Name]], [[Place\nand street]]" in shown
    with pytest.raises(PageRefused):
        publish_page(page.pk, by="grace", at=timezone.now())
    reword(page, "Thread GmbH [1] [link](/cart/)")
    assert "cannot be published" not in staff.get(address(page)).text


def test_outlines_are_offered_for_pages_that_the_shop_lacks(staff):
    draft("imprint")

    shown = staff.get(ADD).text

    assert '<a href="?kind=terms">' in shown
    assert "?kind=imprint" not in shown


def test_an_unknown_outline_is_an_empty_form(staff):
    assert 'id="id_title_en"' in staff.get(f"{ADD}?kind=nothing").text
