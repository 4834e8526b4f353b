from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cryptons.mail.models import Mail


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin[Mail]):
    list_display = ("subject", "to", "created_at", "sent_at", "attempts", "last_error")
    list_filter = ("sent_at",)
    search_fields = ("to", "subject", "key")
    fields = ("subject", "to", "key", "created_at", "sent_at", "attempts", "next_try_at", "last_error", "plain", "preview")
    readonly_fields = fields
    actions = ["send_again"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

    @admin.display(description="text")
    def plain(self, mail: Mail) -> SafeString:
        return format_html('<pre style="white-space: pre-wrap">{}</pre>', mail.text)

    @admin.display(description="HTML")
    def preview(self, mail: Mail) -> SafeString:
        """In a frame that runs nothing and belongs to nobody."""
        return format_html('<iframe sandbox="" srcdoc="{}" width="100%" height="480" title="The mail as HTML"></iframe>', mail.html)

    @admin.action(description="Send again", permissions=["change"])
    def send_again(self, request: HttpRequest, mails: QuerySet[Mail]) -> None:
        count = mails.update(sent_at=None, next_try_at=timezone.now(), attempts=0)
        self.message_user(request, f"{count} mail{'' if count == 1 else 's'} will be sent within a few seconds.")
