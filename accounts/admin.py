"""Users and groups for staff. Who is no superuser can help buyers, but gives nobody a right, and has no way into the account of staff."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.api_keys import make_key, network_problem, possible_scopes
from accounts.login_steps import ask_again, page_user
from accounts.mails import mail_email_changed, mail_password_changed
from accounts.models import ApiKey, User
from accounts.second_factor import remove
from accounts.tokens import revoke_all
from cryptons.admin_actions import ConfirmationPage
from cryptons.atomic_admin import AtomicModelAdmin
from cryptons.audit.writing import audit
from cryptons.db import atomic, in_transaction

Row = TypeVar("Row", User, Group)

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def may_give_rights(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def may_edit(request: HttpRequest, user: User | None) -> bool:
    """Return whether this person may change the account: staff are changed by superusers only."""
    return may_give_rights(request) or user is None or not (user.is_staff or user.is_superuser)


KEYS = ("is_active", "is_staff", "is_superuser")
"""What a superuser needs to get into the admin and to give rights."""


def is_last_superuser(user: User) -> bool:
    able = User.objects.filter(**dict.fromkeys(KEYS, True))
    return able.filter(pk=user.pk).exists() and not able.exclude(pk=user.pk).exists()


class UserForm(UserChangeForm[User]):
    def _get_validation_exclusions(self) -> set[str]:
        """Leave an address as it is that nobody changed: what addresses need has changed since some were stored."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded if "address" in self.changed_data else excluded | {"address"}

    def clean(self) -> dict[str, Any] | None:
        values = super().clean()
        taken = [name for name in KEYS if not self.cleaned_data.get(name, True)]
        if taken and is_last_superuser(self.instance):
            error = ValidationError(gettext("This is the last superuser: make another one first, or nobody could give rights any more."))
            self.add_error(taken[0], error)
        return values


class NewUserForm(AdminUserCreationForm[User]):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # generic for the type checker alone
    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        in_transaction(lambda: mail_password_changed(user))
        return user


class FreshCode(AtomicModelAdmin[Row]):
    """Asks for a new code before accounts and groups are changed, if the last one is too old; not who can only look."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._ask_again(request) or super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._ask_again(request) or super().delete_view(request, *args, **kwargs)

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        return self._ask_again(request) or super().response_action(request, *args, **kwargs)

    def _ask_again(self, request: HttpRequest) -> HttpResponse | None:
        may_change = (self.has_add_permission, self.has_change_permission, self.has_delete_permission)
        return ask_again(request) if any(may(request) for may in may_change) else None


@admin.register(User)
class ShopUserAdmin(FreshCode[User], UserAdmin[User]):
    form = UserForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "has_second_factor", "is_active", "date_joined")
    search_fields = ("username", "email", "first_name", "last_name")
    ordering = ("-date_joined",)
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "phone", "address")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),)
    actions = ["log_out_everywhere", "reset_second_factor"]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        return ask_again(request) or super().user_change_password(request, id, form_url)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_edit(request, obj) and obj != request.user

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask to confirm before superusers take from themselves what lets them in."""
        user = self.get_object(request, object_id)
        if request.method == "POST" and user is not None and user == request.user and may_give_rights(request):
            taken = [name for name in KEYS if getattr(user, name) and name not in request.POST]
            if taken and "confirmed" not in request.POST and not is_last_superuser(user):
                return self._ask_to_confirm(request, user, taken)
        return super().change_view(request, object_id, form_url, extra_context)

    def _ask_to_confirm(self, request: HttpRequest, user: User, taken: list[str]) -> HttpResponse:
        sent = [(name, value) for name, values in request.POST.lists() for value in values if name != "csrfmiddlewaretoken"]
        page = ConfirmationPage(
            title=gettext("Take rights from yourself"),
            question=gettext("You take this from your own account, and only another superuser can give it back to you."),
            button=gettext("Take it from me"),
            back=reverse("admin:accounts_user_change", args=[user.pk]),
            path=[(gettext("Users"), reverse("admin:accounts_user_changelist"))],
            facts=[(user.get_username(), [str(label_for_field(name, User)) for name in taken])],
            hidden=[*sent, ("confirmed", "1")],
        )
        return page.respond(request)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        old = str(form.initial.get("email", "")) if change else ""
        if old and old != obj.email:
            mail_email_changed(obj, old=old, link="", days=0)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        given = (*super().get_readonly_fields(request, obj), "last_login", "date_joined")
        return given if may_give_rights(request) else (*given, *RIGHTS)

    @admin.action(description=_("Log out everywhere"), permissions=["change"])
    def log_out_everywhere(self, request: HttpRequest, users: QuerySet[User]) -> None:
        chosen = list(users)
        if not all(may_edit(request, user) for user in chosen):
            raise PermissionDenied
        with atomic():
            for user in chosen:
                audit("end logins", user)
                revoke_all(user)
                user.api_keys.all().delete()
        self.message_user(request, gettext("Their sessions, API tokens and API keys have ended."))

    @admin.action(description=_("Reset the second factor"), permissions=["reset_second_factor"])
    def reset_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        for user in users.filter(has_second_factor=True):
            remove(user)
        self.message_user(request, gettext("They log in with the password alone until they set up a new second factor."))

    def has_reset_second_factor_permission(self, request: HttpRequest) -> bool:
        return may_give_rights(request)


admin.site.unregister(Group)


@admin.register(Group)
class StaffGroupAdmin(FreshCode[Group], GroupAdmin):
    """A group gives its members rights, so only superusers change one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and may_give_rights(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_give_rights(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_give_rights(request)


class NamedSplitDateTime(AdminSplitDateTime):
    """Names its two fields for screen readers: the label is of neither."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        for widget, name in zip(self.widgets, (_("Date"), _("Time")), strict=True):
            widget.attrs["aria-label"] = name


class MomentField(forms.SplitDateTimeField):
    widget = NamedSplitDateTime

    def compress(self, data_list: Any) -> datetime | None:
        moment: datetime | None = super().compress(data_list)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError:  # some hours after the year 9999
            raise ValidationError(self.error_messages["invalid_date"], code="invalid_date") from None


class ApiKeyForm(forms.ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What a program may do with the key, as long as you may do it. Give it no more than it needs."),
    )
    expires_at = MomentField(label=_("Expires at"), required=False, help_text=_("Empty: the key does not expire."))
    allowed_ips = forms.CharField(
        label=_("Allowed addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("IP addresses and networks such as 192.0.2.0/24, one in each line. Empty: the key is accepted from any address."),
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at", "allowed_ips")

    maker: User

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["scopes"].choices = [(scope, scope) for scope in possible_scopes(self.maker)]  # type: ignore[attr-defined]

    def clean_allowed_ips(self) -> list[str]:
        networks = self.cleaned_data["allowed_ips"].replace(",", " ").split()
        problems = [f"{text}: {problem}" for text in networks if (problem := network_problem(text))]
        if problems:
            raise ValidationError(problems)
        return list(networks)

    def clean_expires_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["expires_at"]
        if at is not None and at <= timezone.now():
            raise ValidationError(gettext("Must be in the future."))
        return at


@admin.register(ApiKey)
class ApiKeyAdmin(AtomicModelAdmin[ApiKey]):
    """A key is shown once, on the page after it was made. Nobody changes one: it is revoked, and another one made."""

    list_display = ("name", "begins_with", "user", "scopes_text", "expires_at", "last_used_at", "last_used_ip")
    list_select_related = ("user",)
    search_fields = ("name", "start", "user__username")
    ordering = ("-created_at",)
    shown = ("name", "begins_with", "user", "scopes_text", "allowed_text", "created_at", "expires_at", "last_used_at", "last_used_ip")
    readonly_fields = ("begins_with", "scopes_text", "allowed_text")

    @admin.display(description=_("begins with"), ordering="start")
    def begins_with(self, key: ApiKey) -> str:
        return f"{key.start}…"

    @admin.display(description=_("scopes"))
    def scopes_text(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description=_("allowed addresses"))
    def allowed_text(self, key: ApiKey) -> str:
        return ", ".join(key.allowed_ips) or gettext("any")

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Keys are deleted one by one, by the page that asks for a code."""
        return {}

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.shown if obj else ApiKeyForm.Meta.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.readonly_fields if obj else ()

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **options: Any) -> Any:
        return (
            type("NewApiKeyForm", (ApiKeyForm,), {"maker": page_user(request)}) if obj is None else super().get_form(request, obj, change)
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return ask_again(request) or super().add_view(request, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return ask_again(request) or super().delete_view(request, object_id, extra_context)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        values = form.cleaned_data
        made, text = make_key(
            page_user(request), values["name"], values["scopes"], expires_at=values["expires_at"], allowed_ips=values["allowed_ips"]
        )
        obj.__dict__.update({**made.__dict__, "shown_once": text})

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Your new API key"),
            "key": obj,
            "text": obj.__dict__["shown_once"],
        }
        return render(request, "admin/accounts/apikey/made.html", context)
