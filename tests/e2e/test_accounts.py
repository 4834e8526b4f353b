"""People come back into their account, and keep its email address."""

from collections.abc import Callable

from tests.e2e.browser import DESKTOP, PHONE, Browser
from tests.e2e.mailbox import link_in, mails_to, wait_for_mail
from tests.running import Shop

PASSWORD, NEW_PASSWORD = "needle-and-teapot", "teapot-and-needle"


def register(shop: Shop, username: str) -> None:
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    shop.http.post("/api/auth/register", json=body).raise_for_status()


def log_in(person: Browser, name: str, password: str, *, at: str = "/account/login/") -> None:
    person.open(at)
    person.fill(name=name, password=password)
    person.press("Log in")


def test_a_person_who_forgot_the_password_is_back_in_with_two_mails(shop: Shop, open_browser: Callable[..., Browser]):
    email = "grace@example.com"
    register(shop, "grace")
    wait_for_mail(shop, email, "Confirm your email address")
    person = open_browser(PHONE, javascript=False)
    log_in(person, email, NEW_PASSWORD)
    assert "Wrong username or password." in person.text()
    person.check_the_page()

    person.press("Forgotten your password?")
    person.check_the_page()
    person.fill(email=email)
    person.press("Send the link")
    assert person.heading() == "Look into your mails"
    person.check_the_page()
    link = link_in(wait_for_mail(shop, email, "A new password for Cryptons"), "/account/link/")
    person.open(link)
    assert person.heading() == "Choose a new password"
    assert link not in person.path
    person.check_the_page()
    person.fill(new="short")
    person.press("Set the password")
    assert "at least 10 characters" in person.find(".field__error").text
    person.check_the_page()
    person.fill(new=NEW_PASSWORD)
    person.press("Set the password")
    assert "Your new password is set." in person.text()
    assert "Logged in as grace" in person.text()
    person.check_the_page()
    wait_for_mail(shop, email, "Your password at Cryptons was changed")
    assert len(mails_to(shop, email)) == 3  # with the one about the registration

    person.press("Log out")
    person.open(link)
    assert person.heading() == "This link is no longer valid"
    person.check_the_page()
    log_in(person, "grace", NEW_PASSWORD)
    assert "Logged in as grace" in person.text()


def test_an_address_is_verified_changed_and_taken_back(shop: Shop, open_browser: Callable[..., Browser]):
    old, new = "hedy@example.com", "hedy@thief.example.com"
    person = open_browser(DESKTOP)
    person.open("/account/login/")
    person.press("Create an account")
    person.check_the_page()
    person.fill(username="hedy", email=old, password=PASSWORD)
    person.press("Create an account")
    assert f"{old} is not verified yet" in person.text()
    person.check_the_page()

    person.open(link_in(wait_for_mail(shop, old, "Confirm your email address"), "/account/link/"))
    person.check_the_page()
    person.press("Confirm")
    assert "Your email address is confirmed." in person.text()
    assert "not verified" not in person.text()
    person.check_the_page()

    person.fill(email=new, current=NEW_PASSWORD)
    person.press("Send the link")
    assert person.find("[name=current]").get_attribute("aria-invalid") == "true"
    person.check_the_page()
    person.fill(email=new, current=PASSWORD)
    person.press("Send the link")
    assert f"We have sent a mail to {new}." in person.text()
    person.check_the_page()
    person.open(link_in(wait_for_mail(shop, new, "Confirm your new email address"), "/account/link/"))
    assert f"From now on {new} is the address of your account" in person.text()
    person.press("Confirm")
    assert person.find("main strong").text == new

    owner = open_browser(PHONE)
    owner.open(link_in(wait_for_mail(shop, old, "The email address of your account"), "/account/link/"))
    assert owner.heading() == "Take your account back"
    owner.check_the_page()
    owner.fill(new=NEW_PASSWORD)
    owner.press("Set the password")
    assert f"Logged in as hedy, {old}" in owner.text()
    owner.check_the_page()
    person.open("/account/")
    assert person.heading() == "Log in", "who changed the address is still logged in"
    person.fill(name=new, password=PASSWORD)
    person.press("Log in")
    assert "Wrong username or password." in person.text()
