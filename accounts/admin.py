"""Users and groups for staff. Who is no superuser can help buyers, but gives nobody a right, and has no way into the account of staff."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.tokens import revoke_all
from cryptons.atomic_admin import AtomicModelAdmin

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


def may_give_rights(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def may_edit(request: HttpRequest, user: User | None) -> bool:
    """Return whether this person may change the account: staff are changed by superusers only."""
    return may_give_rights(request) or user is None or not (user.is_staff or user.is_superuser)


class NewUserForm(AdminUserCreationForm[User]):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


@admin.register(User)
class ShopUserAdmin(AtomicModelAdmin[User], UserAdmin[User]):
    add_form = NewUserForm
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "is_active", "date_joined")
    search_fields = ("username", "email", "first_name", "last_name")
    ordering = ("-date_joined",)
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "phone", "address")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),)
    actions = ["log_out_everywhere"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_edit(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        given = tuple(super().get_readonly_fields(request, obj))
        return given if may_give_rights(request) else (*given, *RIGHTS)

    @admin.action(description=_("Log out everywhere"), permissions=["change"])
    def log_out_everywhere(self, request: HttpRequest, users: QuerySet[User]) -> None:
        chosen = list(users)
        if not all(may_edit(request, user) for user in chosen):
            raise PermissionDenied
        for user in chosen:
            revoke_all(user)
        self.message_user(request, gettext("Their sessions and API tokens have been ended."))


admin.site.unregister(Group)


@admin.register(Group)
class StaffGroupAdmin(AtomicModelAdmin[Group], GroupAdmin):
    """A group gives its members rights, so only superusers change one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and may_give_rights(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_give_rights(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_give_rights(request)
