"""A shopper who reads German stays in German, from the first page to the receipt and the mails."""

from collections.abc import Callable

from tests.e2e.browser import PHONE, Browser
from tests.e2e.mailbox import link_in, wait_for_mail
from tests.e2e.test_buying import ADDRESS
from tests.running import Shop


def test_a_german_shopper_buys_on_a_phone(shop: Shop, open_browser: Callable[..., Browser]):
    email = "kaethe@example.com"
    shopper = open_browser(PHONE)

    def look() -> None:
        assert shopper.find("html").get_attribute("lang") == "de"
        assert shopper.path.startswith("/de/")
        shopper.check_the_page()

    shopper.open("/")
    shopper.press("Deutsch", within="footer")
    look()
    shopper.find("[type=search]").send_keys("kettel\n")
    shopper.wait_until_shown("Copper Kettle")
    look()
    shopper.press("Copper Kettle")
    look()
    assert "89,00 $" in shopper.text()
    shopper.click("In den Warenkorb")
    shopper.wait_until_shown("Copper Kettle ist im Warenkorb")
    shopper.press("Warenkorb ansehen")
    look()
    shopper.press("Zur Kasse")
    look()
    assert "Email" not in shopper.text()
    shopper.press("Weiter zur Zahlungsart")
    assert "Dieses Feld ist erforderlich." in shopper.text()
    look()
    shopper.fill(email=email, **ADDRESS)
    shopper.press("Weiter zur Zahlungsart")
    look()
    shopper.find("main form .button--primary").click()
    shopper.wait_until_shown("Warten auf Ihre Zahlung")
    look()
    shopper.press("Den genauen Betrag bezahlen")
    shopper.wait_until_shown("Ihre Zahlung ist vollständig", seconds=90)
    look()
    shopper.press("Beleg drucken")
    look()
    number = shopper.heading().rpartition(" ")[2]
    shopper.press("Bestellung ansehen")
    look()
    shopper.open(link_in(wait_for_mail(shop, email, f"Wir haben Ihre Bestellung {number}"), "/de/pay/"))
    look()
