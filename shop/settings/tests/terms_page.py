"""A shop whose buyers must accept its terms."""

from uuid import UUID

from django.utils import timezone

from cryptons.db import new_id
from shop.settings.changes import change_settings
from shop.settings.models import ContentPage
from shop.settings.page_changes import add_page, change_page, publish_page


def publish_terms(text: str = "All sales are final.") -> UUID:
    """Publish these words as the shop's terms, and return the id of their version."""
    texts = {"en": {"title": "Terms", "text": text}}
    page = ContentPage.objects.filter(slug="terms").first()
    if page is None:
        page = add_page({"slug": "terms", "texts": texts}, pk=new_id())
    else:
        page = change_page(page.pk, {"texts": texts}, version=page.version)
    page = publish_page(page.pk, by="grace", at=timezone.now())
    return page.versions.latest("number").pk


def ask_for_terms() -> UUID:
    """Publish terms that each buyer must accept, and return the id of their version."""
    version = publish_terms()
    change_settings({"asks_for_terms": True})
    return version
