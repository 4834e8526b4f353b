"""Email staff about what needs them."""

from django.conf import settings
from django.utils.translation import override

from cryptons.mail.queueing import queue_mail


def mail_staff(kind: str, key: str, subject: str, text: str, *, path: str) -> list[str]:
    """Email each address of STAFF_EMAIL, once for each key, if STAFF_MAILS has this kind. Returns the keys of the mails.

    `path` is the admin's page about the subject. Mails of one kind within a minute are sent as one, except about outages.
    """
    if kind not in settings.STAFF_MAILS:
        return []
    context = {"subject": subject, "body": text, "url": settings.PUBLIC_URL + path, "mail_footer": ""}
    bundle = "" if kind == "outages" else f"staff:{kind}"
    keys = {f"{key}+{number}" if number else key: address for number, address in enumerate(settings.STAFF_EMAIL)}
    with override(settings.LANGUAGE_CODE):
        for mail_key, address in keys.items():
            queue_mail(mail_key, to=address, template="mail/staff", context=context, bundle=bundle)
    return list(keys)
