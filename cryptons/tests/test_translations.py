from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from cryptons import translations

TEMPLATE = """{% load i18n %}
  <p>{% translate "Add to cart" %}{% include "x.html" with label=_("In a tag") %}</p>
    {% blocktranslate trimmed count counter=n %}
      {{ n }} thing
    {% plural %}
      {{ n }} things
    {% endblocktranslate %}
"""
CODE = """
from django.utils.translation import gettext_lazy as _, gettext_noop, ngettext_lazy, pgettext
NAME = _("Name of a thing")
TEXT = ngettext_lazy("%(count)s day", "%(count)s days", "count")
VERB = pgettext("verb", "Order")
KEY = gettext_noop("Key and label")
"""


@pytest.fixture
def project(tmp_path, settings):
    """A made-up project with one template, one module and German."""
    settings.BASE_DIR = tmp_path
    for name, content in (("templates/a.html", TEMPLATE), ("shop/a.py", CODE), ("shop/tests/test_a.py", '_("Not this")')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "locale" / "de").mkdir(parents=True)
    return tmp_path


def test_messages_are_collected_from_code_and_templates_in_order(project):
    translations.update("de")

    text = (project / "locale/de/LC_MESSAGES/django.po").read_text()
    assert [line for line in text.splitlines() if line.startswith("msgid ")] == [
        'msgid ""',
        'msgid "%(count)s day"',
        'msgid "%(n)s thing"',
        'msgid "Add to cart"',
        'msgid "In a tag"',
        'msgid "Key and label"',
        'msgid "Name of a thing"',
        'msgid "Order"',
    ]
    assert 'msgctxt "verb"' in text
    assert "fuzzy" not in text


def test_collecting_messages_again_changes_nothing(project):
    translations.update("de")
    first = (project / "locale/de/LC_MESSAGES/django.po").read_bytes()
    translations.update("de")

    assert (project / "locale/de/LC_MESSAGES/django.po").read_bytes() == first


def test_untranslated_messages_are_reported(project):
    translations.update("de")
    file = project / "locale/de/LC_MESSAGES/django.po"
    file.write_text(file.read_text().replace('msgid "Add to cart"\nmsgstr ""', 'msgid "Add to cart"\nmsgstr "In den Warenkorb"'))
    translations.update("de")

    problems = translations.problems("de")
    assert "untranslated: Name of a thing" in problems
    assert "untranslated: Add to cart" not in problems
    assert not [problem for problem in problems if problem.startswith("stale")]


def test_a_translation_that_lacks_a_placeholder_is_reported(project):
    translations.update("de")
    file = project / "locale/de/LC_MESSAGES/django.po"
    old = 'msgid_plural "%(count)s days"\nmsgstr[0] ""\nmsgstr[1] ""'
    file.write_text(file.read_text().replace(old, 'msgid_plural "%(count)s days"\nmsgstr[0] "ein Tag"\nmsgstr[1] "%(cuont)s Tage"'))

    assert [problem for problem in translations.problems("de") if "%(count)s day" in problem]


def test_a_new_message_or_a_missing_compilation_makes_a_translation_stale(project):
    translations.update("de")
    assert "stale: run `make messages`" not in translations.problems("de")

    (project / "shop/b.py").write_text('_("New")')
    assert "stale: run `make messages`" in translations.problems("de")

    translations.update("de")
    (project / "locale/de/LC_MESSAGES/django.mo").unlink()
    assert "stale: run `make messages`" in translations.problems("de")


def test_messages_check_fails_on_an_incomplete_translation_and_writes_nothing(project):
    words = StringIO()

    with pytest.raises(CommandError, match="not complete"):
        call_command("messages", "--check", stdout=words)

    assert "de: untranslated: Add to cart" in words.getvalue()
    assert not (project / "locale/de/LC_MESSAGES").exists()


@pytest.mark.parametrize("language", translations.languages())
def test_each_translation_of_the_project_is_complete_and_up_to_date(language):
    assert translations.problems(language) == []
