"""Whether buyers must accept the shop's terms, and which version of them."""

from uuid import UUID

from django.utils.translation import gettext as _

from shop.errors import TermsChanged, TermsNotAccepted
from shop.settings.current import PublishedPage, current_pages, current_settings

TERMS = "terms"
"""The slug of their page."""


def terms_to_accept() -> PublishedPage | None:
    """Return the terms that each buyer must accept now; None while the shop does not ask for it."""
    if not current_settings().asks_for_terms:
        return None
    return next((page for page in current_pages() if page.slug == TERMS), None)


def check_terms(accepted: UUID | None) -> UUID | None:
    """Return the version that is kept with the order of a buyer who accepted this one; None while the shop does not ask for it.

    Raises TermsNotAccepted, and TermsChanged if other words have been published since the buyer saw them.
    """
    terms = terms_to_accept()
    if terms is None:
        return None
    if accepted is None:
        raise TermsNotAccepted(_("Please accept the terms and conditions to place the order."))
    if accepted != terms.version_id:
        raise TermsChanged(_("The terms and conditions have changed. Please read and accept the new version."))
    return terms.version_id
