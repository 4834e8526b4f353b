"""The contact page with a form: filled in for who is logged in or asks about an order, and again for what cannot be sent."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from cryptons.client_address import client_ip
from cryptons.page_limits import TooManyForms, count_against
from shop.settings.contact import LIMIT, ContactForm, contact_address, send_message
from shop.settings.current import find_published
from shop.settings.models import ContentPage
from shop.settings.pages import show


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest) -> HttpResponse:
    if not contact_address():
        raise Http404(_("Page not found"))
    words = find_published("contact") or ContentPage(texts={})
    if request.method != "POST":
        email = getattr(request.user, "email", "")
        return show(request, words, form=ContactForm(initial={"email": email, "order": request.GET.get("order", "")[:30]}))
    form = ContactForm(request.POST)
    if not form.is_valid():
        return show(request, words, form=form)
    try:
        count_against(LIMIT, "contact", client_ip(request))
    except TooManyForms as error:
        return error.answer(show(request, words, form=form, problem=str(error)))
    send_message(form.cleaned_data)
    messages.success(request, _("We have your message, and will answer to %(email)s.") % {"email": form.cleaned_data["email"]})
    return redirect("shop:contact")
