"""Suggest the domain that was meant when the one of a mail address looks like a slip: `gmial.com`, `hotmail.con`."""

import re

COMMON = (
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "hotmail.it",
    "hotmail.es",
    "hotmail.co.uk",
    "live.com",
    "live.de",
    "live.fr",
    "live.co.uk",
    "msn.com",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yahoo.it",
    "yahoo.es",
    "yahoo.co.uk",
    "yahoo.co.jp",
    "ymail.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "aol.com",
    "aol.de",
    "protonmail.com",
    "proton.me",
    "pm.me",
    "tutanota.com",
    "tutanota.de",
    "posteo.de",
    "mailbox.org",
    "fastmail.com",
    "zoho.com",
    "gmx.de",
    "gmx.at",
    "gmx.ch",
    "gmx.net",
    "gmx.com",
    "web.de",
    "t-online.de",
    "freenet.de",
    "bluewin.ch",
    "orange.fr",
    "wanadoo.fr",
    "free.fr",
    "laposte.net",
    "libero.it",
    "seznam.cz",
    "wp.pl",
    "mail.ru",
    "yandex.ru",
    "yandex.com",
    "qq.com",
    "163.com",
    "126.com",
    "naver.com",
    "comcast.net",
    "verizon.net",
    "btinternet.com",
)
OTHERS = frozenset(
    {"mail.com", "email.com", "mail.de", "email.de", "gmail.de", "hotmail.ch", "hotmail.be", "hotmail.nl", "live.nl", "live.be"}
)
"""Real ones that look like a slip for a common one."""
SLIPS_OF_COM = frozenset({"con", "cmo", "ocm", "comm", "coom", "vom", "xom", "cpm", "c0m"})
"""No such top-level domain exists."""
NAMES = {domain.partition(".")[0] for domain in COMMON} - {"gmail", "googlemail"}
"""Providers that may have a domain in each country; Google has none."""
COUNTRY = re.compile(r"(?!c[mo]\Z|om\Z)(com?\.)?[a-z]{2}")
"""The ending of a country, as in `.in` and `.co.jp`, unless it looks like a slip for `com`."""
SHORT, LONG = 8, 11
"""Domains with fewer letters are too near to real others to guess; in those with so many letters even two slips are no chance."""


def suggest_address(address: str) -> str:
    """Return the address with the domain that was probably meant; empty if nothing looks wrong."""
    user, _at, typed = address.rpartition("@")
    typed = typed.lower()
    if typed in COMMON or typed in OTHERS:
        return ""
    provider, _dot, place = typed.partition(".")
    if provider in NAMES and COUNTRY.fullmatch(place):
        return ""
    name, _dot, ending = typed.rpartition(".")
    if ending in SLIPS_OF_COM:
        return f"{user}@{_nearest(f'{name}.com') or f'{name}.com'}"
    meant = _nearest(typed)
    return f"{user}@{meant}" if meant else ""


def _nearest(typed: str) -> str:
    if typed in COMMON:
        return typed
    near = [(slips, domain) for domain in COMMON if (slips := count_slips(typed, domain)) <= _allowed(domain)]
    return min(near, key=lambda pair: pair[0])[1] if near else ""


def _allowed(domain: str) -> int:
    return 0 if len(domain) < SHORT else 1 if len(domain) < LONG else 2


def count_slips(typed: str, meant: str) -> int:
    """Count the slips of a typist between two words: a letter too many, missing, wrong, or swapped with the next one."""
    if abs(len(typed) - len(meant)) > 2:
        return 3
    before, last = [0] * (len(meant) + 1), list(range(len(meant) + 1))
    for row, letter in enumerate(typed, start=1):
        here = [row]
        for column, other in enumerate(meant, start=1):
            slips = min(last[column] + 1, here[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == meant[column - 2] and typed[row - 2] == other:
                slips = min(slips, before[column - 2] + 1)
            here.append(slips)
        before, last = last, here
    return last[-1]
