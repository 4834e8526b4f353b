"""The content pages as everybody sees them, and the draft of one as staff do."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from cryptons.response_cache import ready_bytes
from shop.catalogue.version import category_version
from shop.settings.contact import ContactForm, contact_address
from shop.settings.current import find_published
from shop.settings.markdown import to_html
from shop.settings.models import PageText


@require_safe
@ready_bytes(versions=lambda slug: category_version(), holes=True)  # settings and pages renew it, too
def page(request: HttpRequest, slug: str) -> HttpResponse:
    shown = find_published(slug)
    if shown is None:
        raise Http404(_("Page not found"))
    return show(request, shown, form=ContactForm() if slug == "contact" and contact_address() else None)


def show(request: HttpRequest, words: PageText, *, preview: str = "", form: ContactForm | None = None, problem: str = "") -> HttpResponse:
    """Render a page. `preview`: what stands above one that only staff see. `form`: what stands below the words, with its `problem`."""
    context = {
        "title": words.title or (_("Contact") if form else ""),
        "body": to_html(words.text),
        "lang": "" if words.language == get_language() else words.language,
        "published_at": getattr(words, "published_at", None),
        "preview": preview,
        "form": form,
        "problem": problem,
    }
    return render(request, "shop/page.html", context)
