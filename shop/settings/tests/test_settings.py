"""The shop's own settings: stored once, shown at once, told to the audit log, never over another's change."""

import io
from pathlib import Path

import pytest
from django.core.cache import caches
from django.db import DatabaseError
from django.test import Client
from PIL import Image

from accounts.tests.factories import StaffFactory
from cryptons.audit.models import Entry
from cryptons.mail.message import message_bytes
from cryptons.mail.models import Mail
from cryptons.mail.queueing import queue_mail
from cryptons.mail_address import read_sender
from cryptons.shop_identity import mail_sender
from shop.catalogue import version
from shop.settings import current
from shop.settings.changes import SettingsMoved, change_settings, clean
from shop.settings.models import ONLY, ShopSettings

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = f"/admin/settings/shopsettings/{ONLY}/change/"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(StaffFactory.create())
    return client


def sent(**values: object) -> dict[str, object]:
    return {"seen_version": "0", **values}


def picture(kind: str = "PNG", size: tuple[int, int] = (900, 300)) -> io.BytesIO:
    file = io.BytesIO()
    Image.new("RGB", size, "#a02020").save(file, kind)
    file.seek(0)
    file.name = f"logo.{kind.lower()}"
    return file


def test_a_shop_without_settings_is_called_as_the_environment_says(client, settings):
    settings.SHOP_NAME = "Kettles"

    page = client.get("/").text

    assert "<title>Welcome · Kettles</title>" in page
    assert "Good things, paid with crypto" in page
    assert "<style>" not in page


def test_a_change_shows_at_once_on_pages_that_are_kept_ready(client):
    assert "Kettle &amp; Thread" not in client.get("/").text
    assert "Kettle &amp; Thread" not in client.get("/search").text

    change_settings({"name": "Kettle & Thread", "home_title": {"en": "Tea, and all it needs", "de": "Alles für Tee"}})

    assert "Tea, and all it needs" in client.get("/").text
    assert "Alles für Tee" in client.get("/de/").text
    assert "<title>Search · Kettle &amp; Thread</title>" in client.get("/search").text.replace("All products", "Search")
    assert "Kettle &amp; Thread" in client.get("/cart/").text


def test_a_text_that_a_language_lacks_is_that_of_the_first_one(client):
    change_settings({"home_text": {"en": "We ship on Mondays."}})

    assert "We ship on Mondays." in client.get("/de/").text


def test_pages_ask_the_database_for_the_settings_once(client, django_assert_num_queries):
    change_settings({"name": "Kettles"})
    client.get("/cart/")

    with django_assert_num_queries(0):
        assert current.current_settings().name == "Kettles"


def test_another_process_sees_a_change_by_its_version(monkeypatch):
    change_settings({"name": "Kettles"})
    assert current.current_settings().name == "Kettles"
    kept = current._kept

    change_settings({"name": "Cups"})
    monkeypatch.setattr(current, "_kept", kept)  # what a process keeps that made neither change

    assert current.current_settings().name == "Cups"


def test_a_page_that_another_process_makes_during_a_change_is_not_kept_for_the_version_after_it(monkeypatch):
    renewed = []
    monkeypatch.setattr(version, "_renew", lambda *keys: renewed.extend(keys))

    change_settings({"name": "Kettles"})

    assert renewed == [version.SETTINGS, version.CATEGORIES, version.LISTS]


def test_during_an_outage_the_shop_keeps_the_settings_that_it_had(monkeypatch):
    change_settings({"name": "Kettles"})
    current.current_settings()

    def fail() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(current, "stored_settings", fail)
    monkeypatch.setattr(current, "settings_version", lambda: "away-1")

    assert current.current_settings().name == "Kettles"


def test_a_change_of_an_older_version_is_refused_and_changes_nothing():
    change_settings({"name": "Kettles"}, version=0)

    with pytest.raises(SettingsMoved):
        change_settings({"name": "Cups"}, version=0)

    assert ShopSettings.objects.get().name == "Kettles"
    assert ShopSettings.objects.get().version == 1


def test_of_two_first_changes_at_once_one_is_refused(monkeypatch):
    change_settings({"name": "Kettles"})
    monkeypatch.setattr("shop.settings.changes.stored_settings", ShopSettings)  # what the slower one had read

    with pytest.raises(SettingsMoved):
        change_settings({"name": "Cups"})

    assert ShopSettings.objects.get().name == "Kettles"


def test_what_does_not_change_anything_writes_no_row():
    change_settings({"name": ""})

    assert not ShopSettings.objects.exists()


def test_the_page_in_the_admin_stores_all_fields_and_the_audit_log_has_who_changed_what(staff, client):
    values = sent(
        name="Kettle & Thread",
        accent="#0D5C52",
        company="Thread GmbH",
        address="Hauptstr. 1\n10115 Berlin",
        vat_id="de 123 456 789",
        email="shop@thread.example",
        phone="+49 30 1234",
        mail_footer_en="Thread GmbH, Berlin",
    )

    assert staff.post(PAGE, values).status_code == 302

    row = ShopSettings.objects.get()
    assert (row.pk, row.name, row.accent, row.vat_id) == (ONLY, "Kettle & Thread", "#0d5c52", "DE123456789")
    page = client.get("/").text
    assert "Thread GmbH · Hauptstr. 1 · 10115 Berlin · DE123456789" in page
    assert 'href="mailto:shop@thread.example"' in page
    assert 'href="tel:+49301234"' in page
    assert ":root{--brand:#0d5c52" in page
    entry = Entry.objects.filter(object_type="shopsettings").latest("id")
    assert entry.changes["name"] == ["", "Kettle & Thread"]


def test_a_form_that_was_opened_before_another_change_is_refused(staff):
    change_settings({"name": "Kettles"})

    answer = staff.post(PAGE, sent(name="Cups"))

    assert answer.status_code == 200
    assert "Somebody else has changed the settings" in answer.text
    assert ShopSettings.objects.get().name == "Kettles"


def test_a_change_between_the_check_of_a_form_and_its_write_is_refused_with_a_sentence(staff, monkeypatch):
    def moved(*_args: object, **_named: object) -> None:
        raise SettingsMoved

    monkeypatch.setattr("shop.settings.admin.change_settings", moved)

    answer = staff.post(PAGE, sent(name="Cups"), follow=True)

    assert "Somebody else has changed the settings" in answer.text


def test_the_list_in_the_admin_leads_to_the_one_form(staff):
    assert staff.get("/admin/settings/shopsettings/").headers["Location"] == PAGE
    assert staff.get(PAGE).status_code == 200


def test_a_logo_and_an_icon_are_stored_small_and_go_when_they_are_replaced(staff, client, settings):
    staff.post(PAGE, sent(logo_upload=picture("JPEG"), favicon_upload=picture()))

    row = ShopSettings.objects.get()
    logo, icon = Path(settings.MEDIA_ROOT) / row.logo, Path(settings.MEDIA_ROOT) / row.favicon
    assert (row.logo_width, row.logo_height) == (480, 160)
    assert Image.open(logo).format == "WEBP"
    assert Image.open(icon).size == (64, 64)
    assert f'src="/media/{row.logo}" alt="Cryptons" width="480"' in client.get("/").text
    assert f'href="/media/{row.favicon}" type="image/png"' in client.get("/").text

    staff.post(PAGE, sent(seen_version="1", no_logo="on", favicon_upload=picture(size=(10, 10))))

    assert not logo.exists()
    assert not icon.exists()
    assert 'class="site-header__logo"' not in client.get("/").text


def test_a_file_that_is_no_picture_is_refused_at_its_field(staff):
    file = io.BytesIO(b"<svg onload=alert(1)>")
    file.name = "logo.svg"

    answer = staff.post(PAGE, sent(logo_upload=file))

    assert "This is not a complete JPEG, PNG, WebP or HEIC picture." in answer.text
    assert not ShopSettings.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("accent", "#ffcc00", "its contrast to the background is 1.2, and must be 4.5 or more"),
        ("accent", "red", "Write the colour as # and six digits"),
        ("accent_dark", "#0d5c52", "its contrast to the background is 2."),
        ("vat_id", "DE12", "This is not a VAT id"),
        ("vat_id", "123456789", "This is not a VAT id"),
        ("name", "Kettles\nBcc: eve@example.com", "Must be one line"),
        ("home_title", {"en": "Tea\nand more"}, "Must be one line"),
        ("email", "nobody", "valid email address"),
        ("home_title", {"fr": "Bonjour"}, "The shop does not have the language fr."),
        ("home_title", {"en": "x" * 101}, "Must have at most 100 characters."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(field, value, words):
    _cleaned, problems = clean({field: value})

    assert list(problems) == [field]
    assert words in problems[field]


def test_lines_end_as_everywhere_and_spaces_around_a_text_go():
    cleaned, problems = clean(
        {"address": " Hauptstr. 1\r\n10115 Berlin ", "home_text": {"en": "One\r\nTwo\r\n"}, "mail_footer": {"de": " "}}
    )

    assert (cleaned["address"], cleaned["home_text"], cleaned["mail_footer"]) == ("Hauptstr. 1\n10115 Berlin", {"en": "One\nTwo"}, {})
    assert problems == {}


def test_pages_do_not_compute_the_tones_of_a_colour_each_time(client, monkeypatch):
    change_settings({"accent": "#123456"})
    client.get("/cart/")
    monkeypatch.setattr("shop.settings.colours.contrast", None)

    assert ":root{--brand:#123456" in client.get("/cart/").text


def test_the_colour_that_the_error_names_is_accepted():
    _cleaned, problems = clean({"accent": "#ffcc00"})

    nearest = problems["accent"].rstrip(".")[-7:]

    assert clean({"accent": nearest})[1] == {}


@pytest.mark.parametrize("vat_id", ["DE123456789", "ATU12345678", "EL123456789", "NL123456789B01", "FRXX123456789", "CHE123456789MWST"])
def test_ids_of_many_countries_are_taken(vat_id):
    assert clean({"vat_id": vat_id}) == ({"vat_id": vat_id}, {})


def test_mails_have_the_name_and_end_that_the_merchant_set(settings):
    settings.SHOP_NAME, settings.MAIL_FROM = "Cryptons", "Cryptons <shop@example.com>"
    change_settings({"name": "Kettle & Thread", "mail_footer": {"en": "Thread GmbH\nBerlin"}})

    queue_mail("key", to="ada@example.com", template="mail/staff", context={"subject": "Hi", "body": "Hello.", "url": "http://x"})

    mail = Mail.objects.get()
    assert mail.text.endswith("\n-- \nThread GmbH\nBerlin\n")
    assert "Thread GmbH\nBerlin</p>" in mail.html
    assert "Kettle &amp; Thread" in mail.html
    assert "\nFrom: Kettle & Thread <shop@example.com>\n" in message_bytes(mail).decode().replace('"', "")


def test_without_an_end_of_their_own_mails_end_with_the_seller():
    change_settings({"company": "Thread GmbH", "vat_id": "DE123456789"})

    queue_mail("key", to="ada@example.com", template="mail/staff", context={"subject": "Hi", "body": "Hello.", "url": "http://x"})

    assert Mail.objects.get().text.endswith("\n-- \nThread GmbH\nDE123456789\n")


def test_a_sender_with_the_name_of_the_environment_gets_the_new_one_in_any_script(settings):
    settings.SHOP_NAME = "Müllers Laden"
    settings.MAIL_FROM = read_sender("", shop_name=settings.SHOP_NAME, domain="shop.example")
    change_settings({"name": "Kettles"})

    assert mail_sender() == "Kettles <shop@shop.example>"


def test_a_sender_with_a_name_of_its_own_keeps_it(settings):
    settings.MAIL_FROM = "Ada <ada@example.com>"
    change_settings({"name": "Kettles"})

    queue_mail("key", to="eve@example.com", template="mail/staff", context={"subject": "Hi", "body": "Hello.", "url": "http://x"})

    assert "\nFrom: Ada <ada@example.com>\n" in message_bytes(Mail.objects.get()).decode()


def test_the_shared_cache_may_be_emptied_at_any_time(client):
    change_settings({"name": "Kettles"})

    caches["shared"].clear()

    assert "Kettles" in client.get("/").text
