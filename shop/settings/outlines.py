"""Outlines of the legal pages: headings, and in double brackets what the merchant must fill in or decide. No legal advice."""

import re

from django.conf import settings

PLACEHOLDER = re.compile(r"\[\[[^\[\]]+\]\](?!\()")
"""A page that still has one cannot be published."""

ENGLISH = {
    "terms": (
        "Terms and conditions",
        """# Scope and seller
These terms are for orders in this shop. The seller is [[name and address of the seller]].
# Contract
[[When the contract is concluded, for example when the order is confirmed by mail]]
# Prices and payment
[[Whether prices include tax, and what shipping costs]] Coin amounts are fixed for the time that the payment page shows.
[[What happens to payments that are late, too low or too high]]
# Delivery
[[Countries, carriers and times]]
# Warranty and liability
[[What the law of your country asks for]]
# Law and disputes
[[Applicable law, court, and how disputes are settled]]
""",
    ),
    "privacy": (
        "Privacy policy",
        """# Who is responsible
[[Name, address and mail of the controller, and of the data protection officer if there is one]]
# What is stored
For an order: name, address, email address, what was ordered and how it was paid. [[For how long, and why]]
# Public ledgers
Payments in coins are public on their networks and cannot be deleted there.
# Who receives data
[[Hosting, mail, carriers, payment services, and in which country each one is]]
# Cookies
[[What the shop stores in the browser: the session, the visitor with the cart, known devices of an account, and the form token]]
# Your rights
[[Access, correction, deletion, objection, and the supervisory authority]]
""",
    ),
    "withdrawal": (
        "Withdrawal and returns",
        """# Right of withdrawal
[[Whether buyers may withdraw, within how many days, and from when on]]
# How to withdraw
Write to [[address and email address for withdrawals]].
# Refund
[[When the price is refunded, in which coin or currency, and at which rate]]
# Return
[[Where the goods are sent, until when, and who pays for it]]
# Exceptions
[[Goods that cannot be returned]]
""",
    ),
    "shipping": (
        "Shipping",
        """# Where we ship
[[Countries]]
# Costs
| To | Price | Days |
|---|---|---|
| [[country]] | [[price]] | [[days]] |
# Carrier and tracking
[[Carrier, and how the buyer follows the parcel]]
""",
    ),
    "imprint": (
        "Imprint",
        """# Seller
[[Name, legal form and address]]
# Represented by
[[Person]]
# Contact
[[Email address and telephone]]
# Register and tax
[[Register, its number, VAT id]]
""",
    ),
    "contact": (
        "Contact",
        """Write to [[email address]] or call [[telephone]].
# Hours
[[When somebody answers]]
""",
    ),
}
GERMAN = {
    "terms": (
        "Allgemeine Geschäftsbedingungen",
        """# Geltung und Anbieter
Diese Bedingungen gelten für Bestellungen in diesem Shop. Verkäufer ist [[Name und Anschrift des Verkäufers]].
# Vertragsschluss
[[Wann der Vertrag zustande kommt, zum Beispiel mit der Bestätigung per E-Mail]]
# Preise und Zahlung
[[Ob die Preise die Steuer enthalten und was der Versand kostet]] Beträge in Coins gelten so lange, wie die Zahlungsseite anzeigt.
[[Was bei verspäteten, zu niedrigen oder zu hohen Zahlungen geschieht]]
# Lieferung
[[Länder, Versandunternehmen und Lieferzeiten]]
# Gewährleistung und Haftung
[[Was das Recht Ihres Landes verlangt]]
# Recht und Streitigkeiten
[[Anwendbares Recht, Gerichtsstand und Streitbeilegung]]
""",
    ),
    "privacy": (
        "Datenschutzerklärung",
        """# Verantwortlich
[[Name, Anschrift und E-Mail-Adresse des Verantwortlichen und gegebenenfalls der oder des Datenschutzbeauftragten]]
# Was gespeichert wird
Zu einer Bestellung: Name, Anschrift, E-Mail-Adresse, was bestellt und wie bezahlt wurde. [[Wie lange und warum]]
# Öffentliche Netzwerke
Zahlungen in Coins sind in ihren Netzwerken öffentlich und können dort nicht gelöscht werden.
# Wer Daten erhält
[[Hosting, E-Mail, Versand, Zahlungsdienste, jeweils mit Land]]
# Cookies
[[Was der Shop im Browser speichert: Sitzung, Besucher mit Warenkorb, bekannte Geräte eines Kontos und das Formular-Token]]
# Ihre Rechte
[[Auskunft, Berichtigung, Löschung, Widerspruch und die Aufsichtsbehörde]]
""",
    ),
    "withdrawal": (
        "Widerruf und Rückgabe",
        """# Widerrufsrecht
[[Ob Käufer widerrufen können, innerhalb wie vieler Tage und ab wann]]
# So widerrufen Sie
Schreiben Sie an [[Anschrift und E-Mail-Adresse für den Widerruf]].
# Erstattung
[[Wann der Preis erstattet wird, in welchem Coin oder welcher Währung und zu welchem Kurs]]
# Rücksendung
[[Wohin die Ware geschickt wird, bis wann und wer dafür bezahlt]]
# Ausnahmen
[[Waren, die nicht zurückgegeben werden können]]
""",
    ),
    "shipping": (
        "Versand",
        """# Wohin wir liefern
[[Länder]]
# Kosten
| Nach | Preis | Tage |
|---|---|---|
| [[Land]] | [[Preis]] | [[Tage]] |
# Versandunternehmen und Sendungsverfolgung
[[Versandunternehmen, und wie Käufer das Paket verfolgen]]
""",
    ),
    "imprint": (
        "Impressum",
        """# Anbieter
[[Name, Rechtsform und Anschrift]]
# Vertreten durch
[[Person]]
# Kontakt
[[E-Mail-Adresse und Telefon]]
# Register und Steuer
[[Register, Nummer, USt-IdNr.]]
""",
    ),
    "contact": (
        "Kontakt",
        """Schreiben Sie an [[E-Mail-Adresse]] oder rufen Sie an: [[Telefon]].
# Zeiten
[[Wann jemand antwortet]]
""",
    ),
}


def outline(kind: str) -> dict[str, dict[str, str]]:
    """Return title and text by language, in those of the shop's languages that have outlines; nothing for a page of no such kind."""
    known = {"en": ENGLISH, "de": GERMAN}
    languages = [language for language, _name in settings.LANGUAGES if language in known and kind in ENGLISH]
    return {language: dict(zip(("title", "text"), known[language][kind], strict=True)) for language in languages}


def placeholders(text: str) -> list[str]:
    return PLACEHOLDER.findall(text)
