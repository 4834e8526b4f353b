from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cryptons.audit.writing import audit
from cryptons.db import atomic
from cryptons.log_redaction import without_keys
from cryptons.mail.models import Mail


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin[Mail]):
    list_display = ("subject", "to", "created_at", "sent_at", "attempts", "last_error")
    list_filter = ("sent_at",)
    search_fields = ("to", "subject", "key")
    fields = ("subject", "to", "reply_to", "key", "created_at", "sent_at", "attempts", "next_try_at", "last_error", "plain", "preview")
    readonly_fields = fields
    actions = ["send_again"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Filter by what the list offers only: `?text__contains=` would find out the key of a link letter by letter."""
        return lookup.partition("__")[0] in (*self.list_filter, "id") and super().lookup_allowed(lookup, value, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

    @admin.display(description=_("text"))
    def plain(self, mail: Mail) -> SafeString:
        """Show the text without the keys of links: who has one may act as the buyer, and say where a refund goes."""
        note = gettext("Links that only the recipient may open are not shown in full.")
        return format_html('<pre style="white-space: pre-wrap">{}</pre><p class="help">{}</p>', without_keys(mail.text), note)

    @admin.display(description="HTML")
    def preview(self, mail: Mail) -> SafeString:
        """Show the HTML in a frame without scripts and without an origin."""
        frame = '<iframe sandbox="" srcdoc="{}" width="100%" height="480" title="{}"></iframe>'
        return format_html(frame, without_keys(mail.html), gettext("The mail as HTML"))

    @admin.action(description=_("Send again"), permissions=["change"])
    def send_again(self, request: HttpRequest, mails: QuerySet[Mail]) -> None:
        with atomic():
            again = list(mails.exclude(to=""))
            for mail in again:
                audit("send again", mail)
            keys = [mail.pk for mail in again]
            count = Mail.objects.filter(pk__in=keys).update(sent_at=None, next_try_at=timezone.now(), attempts=0)
        words = ngettext("%(count)s mail will be sent in a few seconds.", "%(count)s mails will be sent in a few seconds.", count)
        self.message_user(request, words % {"count": count})
