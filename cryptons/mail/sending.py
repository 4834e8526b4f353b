"""Send the mails that are due, each once."""

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.utils.translation import ngettext, override

from cryptons.chunks import CHUNK
from cryptons.failure_isolation import log_failure
from cryptons.mail.models import Mail
from cryptons.mail.post import Post, connection_to
from cryptons.shop_identity import mail_sender, shop_name

WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440)]
"""Before each further try; after the last one staff must look."""

HOLD = timedelta(minutes=1)
"""How long other processes leave mails alone while one sends them."""
BATCH = 50
BATCH_SECONDS = 20
"""After this time no other mail of a batch is begun: the last one must end within HOLD."""
STORE_SECONDS = 1
MOST_TOGETHER = 50
"""Texts in one mail of a bundle; it says how many more there are."""


def send_due(*, at: datetime) -> int:
    """Send a batch of the mails that are due. Returns how many were due; those that there was no time for are still due."""
    due = Mail.objects.filter(next_try_at__lte=at, sent_at=None).order_by("next_try_at")
    batch = list(due.values_list("pk", "bundle", "to")[:BATCH])
    ids = {pk for pk, _, _ in batch}
    for bundle, to in {(bundle, to) for _, bundle, to in batch if bundle}:
        ids.update(due.filter(bundle=bundle, to=to).values_list("pk", flat=True)[:CHUNK])
    if ids:
        send(list(ids), at=at)
    return len(ids)


def send(mail_ids: Sequence[UUID], *, at: datetime) -> int:
    """Send the mails that were not sent already. Safe to repeat: a copy has the same Message-ID and file. Returns how many were sent.

    They are claimed together, and what was sent is stored every second: only that much is sent twice when the process dies.
    """
    claimed = Mail.objects.filter(pk__in=mail_ids, sent_at=None)
    if not claimed.filter(next_try_at__lte=at).update(next_try_at=at + HOLD):
        return 0
    ends = time.monotonic() + BATCH_SECONDS
    count, sent, stored = 0, [], time.monotonic()
    mine = claimed.filter(next_try_at=at + HOLD).order_by("created_at", "pk")  # another process may have claimed some, at another moment
    left = deque(_bundled(mine))
    with Post() as post:
        while left and time.monotonic() <= ends:
            mails = left.popleft()
            if _try(post, mails, at=at):
                sent += [mail.pk for mail in mails]
            if time.monotonic() - stored > STORE_SECONDS:
                count, sent, stored = count + _store(sent, at=at), [], time.monotonic()
        count += _store(sent, at=at)  # before the connection is closed, for which a slow server needs seconds
        if left:
            mine.filter(pk__in=[mail.pk for mails in left for mail in mails]).update(next_try_at=at)
    return count


def _bundled(mails: Iterable[Mail]) -> list[list[Mail]]:
    bundles: dict[object, list[Mail]] = {}
    for mail in mails:
        bundles.setdefault((mail.bundle, mail.to) if mail.bundle else mail.pk, []).append(mail)
    return list(bundles.values())


def _as_one(mails: Sequence[Mail]) -> Mail:
    """Return a mail with the texts of all, in the shop's language."""
    if len(mails) == 1:
        return mails[0]
    more = len(mails) - 1
    bundle, shown = copy(mails[0]), mails[:MOST_TOGETHER]
    with override(settings.LANGUAGE_CODE):
        words = ngettext("%(subject)s, and %(count)d more", "%(subject)s, and %(count)d more", more)
        bundle.subject = words % {"subject": bundle.subject[:150], "count": more}
        context = {"shop_name": shop_name(), "public_url": settings.PUBLIC_URL, "mails": shown, "hidden": len(mails) - len(shown)}
        bundle.text = render_to_string("mail/bundle.txt", context).strip() + "\n"
        bundle.html = render_to_string("mail/bundle.html", context)
    return bundle


def _try(post: Post, mails: Sequence[Mail], *, at: datetime) -> bool:
    """Deliver the mails of a bundle as one, or store when to try again. Returns whether that was delivered."""
    mail = mails[0]
    try:
        post.deliver(_as_one(mails))
    except Exception as error:
        if not isinstance(error, OSError):  # the server's trouble, and smtplib's errors are among them
            log_failure("sending a mail", mail.pk, error)
        waits = WAITS[mail.attempts :]
        next_try, problem = at + waits[0] if waits else None, f"{type(error).__name__}: {error}"[:200]
        Mail.objects.filter(pk__in=[mail.pk for mail in mails]).update(next_try_at=next_try, attempts=mail.attempts + 1, last_error=problem)
        return False
    return True


def _store(sent: Collection[UUID], *, at: datetime) -> int:
    if not sent:
        return 0
    return Mail.objects.filter(pk__in=sent).update(sent_at=at, next_try_at=None, attempts=F("attempts") + 1, last_error="")


def send_unrecorded(subject: str, text: str, *, to: Collection[str]) -> None:
    """Email each address without a row in the database. Does nothing without a mail server. Raises OSError."""
    if to and (server := settings.MAIL_SERVER):
        mails = [EmailMultiAlternatives(subject, text, mail_sender(), [address]) for address in to]
        connection_to(server).send_messages(mails)


def forget_old_mails(*, at: datetime) -> int:
    """Empty the mails that were sent, or given up, more than MAIL_KEEP_DAYS ago. Returns how many.

    Their rows stay, because one occasion must never make a second mail.
    """
    limit = at - timedelta(days=settings.MAIL_KEEP_DAYS)
    over = Q(sent_at__lt=limit) | Q(sent_at=None, next_try_at=None, created_at__lt=limit)
    old, emptied = Mail.objects.filter(over).exclude(to=""), 0
    while ids := list(old.order_by().values_list("pk", flat=True)[:CHUNK]):
        for mail_id in ids:
            (Path(settings.MAIL_DIR) / f"{mail_id}.eml").unlink(missing_ok=True)
        emptied += old.filter(pk__in=ids).update(to="", reply_to="", subject="", text="", html="", last_error="")
    return emptied
