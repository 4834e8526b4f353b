"""Groups for staff are there from the first start; what the merchant made of them is never undone."""

import pytest
from django.contrib.auth.models import Group, Permission

from accounts import groups
from accounts.groups import READY_GROUPS, make_ready_groups
from accounts.models import ReadyGroup

pytestmark = pytest.mark.django_db


def rights(name: str) -> set[str]:
    permissions = Group.objects.get(name=name).permissions.select_related("content_type")
    return {f"{right.content_type.app_label}.{right.codename}" for right in permissions}


def test_every_group_has_the_rights_of_its_table_however_often_the_shop_starts():
    make_ready_groups()
    make_ready_groups()

    assert {group.name for group in Group.objects.all()} == {"Packer", "Catalogue", "Bookkeeper", "Support", "Payments", "Owner"}
    assert {name: rights(name) for name in READY_GROUPS} == READY_GROUPS


def test_no_ready_group_may_change_groups_or_what_only_the_shop_writes():
    """Rights over staff are a superuser's, and nobody changes payments, lines of an order or the log."""
    given = set().union(*READY_GROUPS.values())
    written = {right for right in given if ".view_" not in right}
    assert not {right for right in written if right.startswith(("auth.", "admin.", "audit.", "sessions.", "contenttypes."))}
    assert not written & {f"{model}_{row}" for model in ("payments.change", "payments.delete") for row in ("payment", "option", "rate")}


def test_what_the_merchant_changed_renamed_or_deleted_stays_so(monkeypatch):
    make_ready_groups()
    Group.objects.get(name="Packer").permissions.add(Permission.objects.get(codename="view_mail"))
    Group.objects.filter(name="Support").update(name="Help desk")
    Group.objects.get(name="Owner").delete()
    more = {name: {*of_before, "shop.view_cart"} for name, of_before in READY_GROUPS.items()}

    monkeypatch.setattr(groups, "READY_GROUPS", more)
    make_ready_groups()

    assert {group.name for group in Group.objects.all()} == {"Packer", "Catalogue", "Bookkeeper", "Help desk", "Payments"}
    assert rights("Packer") == READY_GROUPS["Packer"] | {"mail.view_mail"}
    assert rights("Help desk") == READY_GROUPS["Support"]
    assert rights("Catalogue") == READY_GROUPS["Catalogue"] | {"shop.view_cart"}


def test_a_group_of_the_merchant_with_a_ready_name_is_theirs(monkeypatch):
    Group.objects.create(name="Packer")
    make_ready_groups()
    assert rights("Packer") == set()
    assert not ReadyGroup.objects.filter(name="Packer").exists()
