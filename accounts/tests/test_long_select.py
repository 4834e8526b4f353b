"""The countries of an address form are written by a widget of its own."""

import pytest
from django import forms
from pytest_django.asserts import assertHTMLEqual

from accounts.forms import LongSelect

CHOICES = [("", "Choose"), ("CI", "Côte d'Ivoire"), ("XX", '<b>A & "B"</b>'), ('"><script>', "Bad")]


@pytest.mark.parametrize("value", [None, "", "CI", "XX", '"><script>', "unknown"])
def test_a_long_select_writes_what_djangos_select_writes(value):
    given = {"autocomplete": "country"}, {"id": "id_country", "required": True, "disabled": False, "aria-describedby": '"<x>"'}

    written = LongSelect(attrs=given[0], choices=CHOICES).render("country", value, given[1])

    assertHTMLEqual(written, forms.Select(attrs=given[0], choices=CHOICES).render("country", value, given[1]))
    assert "<script>" not in written
