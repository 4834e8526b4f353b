"""The merchant's own pages, such as the terms: everybody may read those that are published."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cryptons.api.errors import NotFound
from cryptons.api.outputs import Output
from cryptons.api.schema import describe
from cryptons.api.views import ApiView, success
from shop.settings.current import PublishedPage, current_pages, find_published
from shop.settings.markdown import to_html
from shop.settings.models import PageVersion


class PageLinkSerializer(Output):
    slug = serializers.CharField(help_text="The legal pages have fixed ones: terms, privacy, withdrawal, shipping, imprint, contact")
    titles = serializers.DictField(child=serializers.CharField(), help_text="By language")
    versionId = serializers.UUIDField(source="version_id")
    version = serializers.IntegerField(source="number", help_text="Raised each time the page is published with other words")
    inFooter = serializers.BooleanField(source="in_footer")
    url = serializers.CharField(help_text="Of the page in the shop's first language")

    def read_titles(self, page: PublishedPage) -> dict[str, str]:
        return {language: words["title"] for language, words in page.texts.items()}

    def read_url(self, page: PublishedPage) -> str:
        return _url(page.slug)


class PageTextSerializer(Output):
    title = serializers.CharField()
    markdown = serializers.CharField(source="text")
    html = serializers.CharField(help_text="The same, as the shop's own pages show it")


class PageSerializer(Output):
    slug = serializers.CharField()
    versionId = serializers.UUIDField(source="pk", help_text="Orders name the version of the terms that their buyer accepted")
    version = serializers.IntegerField(source="number")
    publishedAt = serializers.DateTimeField(source="published_at")
    url = serializers.CharField()
    texts = serializers.DictField(child=PageTextSerializer(), help_text="By language")

    def read_slug(self, version: PageVersion) -> str:
        return version.page.slug

    def read_publishedAt(self, version: PageVersion) -> datetime:
        return version.published_at

    def read_url(self, version: PageVersion) -> str:
        return _url(version.page.slug)

    def read_texts(self, version: PageVersion) -> dict[str, Any]:
        return {
            language: {"title": words["title"], "markdown": words["text"], "html": to_html(words["text"])}
            for language, words in version.texts.items()
        }


def _url(slug: str) -> str:
    with translation.override(settings.LANGUAGE_CODE):
        return settings.PUBLIC_URL + reverse("shop:page", args=[slug])


class Pages(ApiView):
    @describe("List the shop's own pages", data=PageLinkSerializer, many=True, cached=True)
    def get(self, request: Request) -> Response:
        """Terms, privacy and what else the merchant has published, in the order of the shop's footer."""
        return success([PageLinkSerializer.serialize(page) for page in current_pages()])


class OnePage(ApiView):
    @describe("Get one of the shop's own pages", data=PageSerializer, errors=[404], cached=True)
    def get(self, request: Request, slug: str) -> Response:
        version = find_published(slug)
        if version is None:
            raise NotFound(_("Page not found"))
        return success(PageSerializer.serialize(version))
