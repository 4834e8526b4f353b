"""Actions of staff in the admin: a button, a page that asks to confirm, and what happens then. One page for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Confirmed:
    """What a member of staff sent by the page's button."""

    values: dict[str, Any]
    """The form's clean values."""
    actor: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Action(Generic[Row]):
    """An action of staff on one row."""

    name: str
    """Part of the page's address."""
    label: str | Promise
    permission: str
    run: Callable[[Row, Confirmed], Any]
    """Raises an error of the app when the action is refused."""
    fits: Callable[[Row], bool]
    """Whether the button is shown. Whether the action is possible is decided when it runs."""
    form: type[forms.Form] = forms.Form


AnyAction = TypeVar("AnyAction", bound=Action[Any])


def permitted_action(request: HttpRequest, actions: Mapping[str, AnyAction], name: str) -> AnyAction:
    """Return the action of this name. Raises Http404 if there is none, PermissionDenied if this person may not do it."""
    action = actions.get(name)
    if action is None:
        raise Http404(gettext("There is no such action."))
    if not request.user.has_perm(action.permission):
        raise PermissionDenied
    return action


def action_buttons(row: Row, actions: Mapping[str, Action[Row]], url_name: str) -> SafeString:
    """Return a button for each action that fits the row, which leads to its page."""
    fitting = ((reverse(url_name, args=[row.pk, action.name]), action.label) for action in actions.values() if action.fits(row))
    return format_html_join("", '<a class="button" href="{}">{}</a> ', fitting) or SafeString("–")


class ReasonField(forms.CharField):
    """A reason for the event log. NUL, which no database stores, is dropped."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"size": 60})
        super().__init__(**{"label": _("Reason"), "max_length": 200, "widget": widget, **options})

    def to_python(self, value: Any) -> Any:
        return super().to_python(value.replace("\0", "") if isinstance(value, str) else value)


class ReasonForm(forms.Form):
    reason = ReasonField(help_text=_("It is stored in the event log with your name."))


@dataclass(frozen=True, kw_only=True)
class ConfirmationPage:
    """What the page shows before staff press its button."""

    title: str
    question: str
    back: str
    """Where "No" leads, and where staff come to when it is done."""
    button: str = ""
    """Its words. Without them there is no button, and nothing can be confirmed."""
    facts: Sequence[tuple[str, Sequence[str]]] = ()
    """Each with its lines; one without lines is left out."""
    path: Sequence[tuple[str, str]] = ()
    """The pages above this one: name and address."""
    form: Callable[..., forms.Form] = forms.Form
    initial: dict[str, Any] = field(default_factory=dict)
    """What the form shows. A version in it is that of the row as staff see it."""
    hidden: Sequence[tuple[str, str]] = ()
    problem: str = ""

    def respond(self, request: HttpRequest, form: forms.Form | None = None, *, problem: str = "", status: int = 200) -> HttpResponse:
        form = form or self.form(initial=self.initial)
        for first in form.visible_fields()[:1]:
            first.field.widget.attrs["autofocus"] = True
        context = {
            **admin.site.each_context(request),
            "title": self.title,
            "page": self,
            "form": form,
            "facts": [(name, [line for line in lines if line]) for name, lines in self.facts if any(lines)],
            "problem": problem or self.problem,
        }
        return render(request, "admin/confirm_action.html", context, status=status)


def confirm(
    request: HttpRequest,
    describe: Callable[[], ConfirmationPage],
    run: Callable[[Confirmed], HttpResponse | None],
    *,
    refusals: tuple[type[Exception], ...],
) -> HttpResponse:
    """Ask to confirm an action; run it when the form was sent and is valid, then go back.

    When the action is refused the page is shown again with the error, with what was typed, and with the row as it is now (409).
    A ValidationError is an error of the form (400).
    """
    page = describe()
    if request.method != "POST":
        return page.respond(request)
    form = page.form(request.POST, request.FILES, initial=page.initial)
    if not form.is_valid():
        return page.respond(request, form, status=400)
    try:
        answer = run(Confirmed(form.cleaned_data, request.user.get_username(), timezone.now()))
    except forms.ValidationError as error:
        form.add_error(None, error)
        return page.respond(request, form, status=400)
    except refusals as error:
        page = describe()
        typed = {name: value for name, value in form.cleaned_data.items() if name != "version"}
        return page.respond(request, page.form(initial={**page.initial, **typed}), problem=str(error), status=409)
    return answer or redirect(page.back)
