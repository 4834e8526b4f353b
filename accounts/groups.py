"""The groups that a shop has from its first start, so that nobody has to find the rights of a task among a hundred.

A group is made once. A later version gives its new rights to a group that is as it was made; one that the merchant has changed, renamed or
deleted is theirs, and stays as they left it.
"""

from django.contrib.auth.models import Group, Permission

from accounts.models import ReadyGroup
from cryptons.db import in_transaction


def _may(acts: str, *models: str) -> set[str]:
    return {f"{model.replace('.', f'.{act}_', 1)}" for act in acts.split() for model in models}


_GOODS = ("shop.product", "shop.productimage", "shop.category")
_VOUCHERS = ("shop.voucher", "shop.vouchergoods")
_ORDERS = ("shop.order", "shop.orderline")
_BOOKS = ("payments.invoice", "payments.option", "payments.payment", "payments.payout", "payments.rate")
_NODES = ("payments.cursor", "payments.alert")

READY_GROUPS: dict[str, set[str]] = {
    "Packer": _may("view", *_GOODS, *_ORDERS) | _may("change", "shop.order"),
    "Catalogue": _may("view add change delete", *_GOODS, *_VOUCHERS, "reviews.review"),
    "Bookkeeper": _may("view", *_ORDERS, *_BOOKS),
    "Support": _may("view", *_GOODS, *_ORDERS, "payments.invoice", "payments.option", "payments.payment", "accounts.user", "mail.mail")
    | _may("change", "shop.order", "mail.mail"),
    "Payments": _may("view", *_ORDERS, *_BOOKS, *_NODES) | _may("change", "payments.invoice") | _may("add change", "payments.payout"),
    "Owner": _may("view add change delete", *_GOODS, *_VOUCHERS, "reviews.review")
    | _may("view", *_ORDERS, *_BOOKS, *_NODES, "auth.group", "mail.mail", "audit.entry")
    | _may("change", "shop.order", "payments.invoice", "mail.mail")
    | _may("add change", "payments.payout")
    | _may("view add change delete", "accounts.user")
    | _may("view add delete", "accounts.apikey")
    | _may("view add change delete", "events.webhookendpoint")
    | _may("view change delete", "verification.verification")
    | _may("view", "verification.document")
    | _may("view change delete", "verification.sanctionshit")
    | _may("change", "settings.shopsettings")
    | _may("view add change delete", "settings.contentpage"),
}
"""The rights of each group, by its name: `app.act_model`. Rights over staff are not among them: only a superuser has those."""


def make_ready_groups() -> None:
    """Make the groups that are missing, and give those that nobody changed the rights of this version."""
    in_transaction(_make)


def _make() -> None:
    known = {_name(right): right for right in Permission.objects.select_related("content_type")}
    made = {row.name: row for row in ReadyGroup.objects.all()}
    groups = {group.name: group for group in Group.objects.all()}
    for name, rights in READY_GROUPS.items():
        row, group = made.get(name), groups.get(name)
        if row is None and group is None:
            group, row = Group.objects.create(name=name), ReadyGroup(name=name)
        elif row is None or group is None or row.rights == sorted(rights) or _rights_of(group) != row.rights:
            continue
        group.permissions.set([known[right] for right in rights])
        row.rights = sorted(rights)
        row.save()


def _rights_of(group: Group) -> list[str]:
    return sorted(_name(right) for right in group.permissions.select_related("content_type"))


def _name(right: Permission) -> str:
    return f"{right.content_type.app_label}.{right.codename}"
