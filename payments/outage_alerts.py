"""Email staff about an outage that keeps the worker from doing so: of the worker itself, of the database, or of the disk.

Each web process looks for one every LOOK_SECONDS; beat looks at the disk of its own machine.
"""

import logging
import socket
import threading
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connections
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from pymongo.errors import PyMongoError

from cryptons.disk import read_disk
from cryptons.formats import short_moment
from cryptons.mail.models import Mail
from cryptons.mail.sending import send, send_unrecorded
from cryptons.mail.staff import mail_staff
from cryptons.money import UNITS
from payments.networks.registry import offered_networks
from payments.polling import unpolled_networks

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30
AWAY_FOR = timedelta(minutes=2)
"""A database that does not answer for so long is reported. A restart takes less."""
REPEAT_AFTER = timedelta(hours=1)
"""While the database cannot remember that staff were told, each process tells them once in this time."""

_told_at: dict[str, datetime] = {}


def alert_of_worker(*, at: datetime) -> None:
    """Tell staff, once for each outage, that no worker polls the networks. Raises the database's errors."""
    unpolled = unpolled_networks(offered_networks(), at=at)
    if not unpolled:
        return
    last = max((moment for moment in unpolled.values() if moment is not None), default=None)
    with override(settings.LANGUAGE_CODE):
        names = ", ".join(UNITS[network].name for network in sorted(unpolled))
        subject = gettext("Payments are not noticed")
        text = gettext(
            "No worker has polled %(networks)s for more than two minutes. Payments are noticed late, though they still count from the time "
            "at which they were made, and no mails are sent. Check that the worker runs."
        ) % {"networks": names}
        if last is not None:
            text += " " + gettext("The last answer came at %(time)s.") % {"time": short_moment(last)}
    key = f"unpolled:{last:%Y-%m-%dT%H:%M:%S}" if last else "unpolled"
    send_at_once(mail_staff("outages", key, subject, text, path=reverse("admin:payments_nodes")))


def alert_of_disk(*, at: datetime) -> None:
    """Tell staff, once a day, that a disk is nearly full or cannot be written."""
    with override(settings.LANGUAGE_CODE):
        disk, machine = read_disk(), socket.gethostname()
        if not disk.problem:
            return
        subject = gettext("The shop needs space on its disk") if disk.can_be_written else gettext("The shop cannot write to its disk")
        text = gettext("On %(machine)s: %(problem)s") % {"machine": machine, "problem": disk.problem}
    key = f"disk:{machine[:40]}:{'full' if disk.can_be_written else 'error'}:{at:%Y-%m-%d}"
    try:
        send_at_once(mail_staff("outages", key, subject, text, path=reverse("admin:payments_nodes")))
    except (Error, PyMongoError):  # it may be the database's disk
        tell_without_database(subject, text, at=at)


def alert_of_database(*, since: datetime, at: datetime) -> None:
    if at - since < AWAY_FOR:
        return
    with override(settings.LANGUAGE_CODE):
        subject = gettext("The shop's database does not answer")
        text = gettext(
            "The database has not answered since %(time)s. Until it does, nothing can be bought. Payments that are made until then are "
            "found when it is back."
        ) % {"time": short_moment(since)}
    tell_without_database(subject, text, at=at)


def send_at_once(keys: Collection[str]) -> None:
    """Send the mails of these keys in this process, because the worker that would send them may be down."""
    if keys:
        send(list(Mail.objects.filter(key__in=keys).values_list("pk", flat=True)), at=timezone.now())


def tell_without_database(subject: str, text: str, *, at: datetime) -> None:
    """Email staff without a row in the database, which cannot be written."""
    if "outages" not in settings.STAFF_MAILS or (subject in _told_at and at - _told_at[subject] < REPEAT_AFTER):
        return
    _told_at[subject] = at
    logger.error(text)
    try:
        send_unrecorded(subject, text, to=settings.STAFF_EMAIL)
    except OSError as error:
        logger.error("staff cannot be told", extra={"error": str(error)[:200]})


class OutageWatch:
    """Looks for outages and remembers since when the database has not answered."""

    database_away_since: datetime | None = None

    def look(self, *, at: datetime) -> None:
        alert_of_disk(at=at)
        try:
            alert_of_worker(at=at)
        except (Error, PyMongoError):
            self.database_away_since = self.database_away_since or at
            alert_of_database(since=self.database_away_since, at=at)
        else:
            self.database_away_since = None

    def run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.look(at=timezone.now())
            except Exception:  # of mail server, disk or database: the watch goes on, and the log tells why nobody was mailed
                logger.exception("looking for outages failed")
            finally:
                connections.close_all()


def start_watching(**_: Any) -> None:
    """Look for outages in a thread of this process until it ends. A receiver of `web_started`."""
    if settings.STAFF_EMAIL:
        threading.Thread(target=OutageWatch().run, name="OutageWatch", daemon=True).start()
