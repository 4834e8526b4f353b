"""Pages on which users see whether their email address is verified, and change it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.email_address import SameAddress, ask_to_change_email, send_verification
from accounts.forms import EmailForm
from accounts.link_pages import too_many_mails
from accounts.login_limits import TooManyTries
from accounts.mail_limits import count_link_mail
from accounts.models import User
from accounts.registration import WrongPassword
from cryptons.api.limits import too_many_attempts


@sensitive_post_parameters()
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def email_page(request: HttpRequest) -> HttpResponse:
    user, form = request.user, EmailForm(request.POST or None)
    assert isinstance(user, User)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        if headers := count_link_mail(request, email, asked_by=user):
            return too_many_mails(request, form, "accounts/email.html", headers)
        try:
            ask_to_change_email(request, user, email, form.cleaned_data["current"])
        except TooManyTries as error:
            return too_many_mails(request, form, "accounts/email.html", error.headers)
        except WrongPassword as error:
            form.add_error("current", str(error))
        except SameAddress as error:
            form.add_error("email", str(error))
        else:
            messages.success(request, _("We have sent a mail to %(email)s. Open the link in it to change your address.") % {"email": email})
            return redirect("accounts:email")
    return render(request, "accounts/email.html", {"form": form}, status=400 if form.errors else 200)


@login_required
@require_POST
def send_verification_page(request: HttpRequest) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    if user.has_verified_email:
        messages.info(request, _("Your email address is confirmed."))
    elif headers := count_link_mail(request, user.email):
        messages.error(request, too_many_attempts(headers))
    else:
        send_verification(user)
        messages.success(request, _("We have sent the link to %(email)s.") % {"email": user.email})
    return redirect("accounts:email")
