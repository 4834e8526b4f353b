"""The form of a content page: title and text for each language of the shop."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop.settings.models import PAGE_KINDS, ContentPage
from shop.settings.page_changes import LONGEST_TEXT, LONGEST_TITLE, PageMoved, clean_texts, what_is_missing, why_not_hidden

OTHER = "other"
PUBLISH, HIDE = "_publish", "_hide"
"""The names of the form's two more buttons."""


def text_fields() -> list[str]:
    return [f"{name}_{language}" for language, _name in settings.LANGUAGES for name in ("title", "text")]


class PageForm(forms.ModelForm[ContentPage]):
    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Page"), choices=())
    slug = forms.SlugField(
        label=gettext_lazy("Address"),
        max_length=80,
        required=False,
        allow_unicode=True,
        help_text=gettext_lazy("Of another page: the last part of its address, such as about-us. It stays as it is."),
    )

    class Meta:
        model = ContentPage
        fields = ("slug", "in_footer", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            taken = set(ContentPage.objects.values_list("slug", flat=True))
            kinds = [(slug, name) for slug, name in PAGE_KINDS.items() if slug not in taken]
            self.fields["kind"].choices = [*kinds, (OTHER, _("Another page"))]  # type: ignore[attr-defined]
        else:
            del self.fields["kind"], self.fields["slug"]
            self.fields["seen_version"].initial = self.instance.version
        for language, _name in settings.LANGUAGES:
            for name in ("title", "text"):
                if not self.instance._state.adding:
                    self.fields[f"{name}_{language}"].initial = self.instance.texts.get(language, {}).get(name, "")

    def clean(self) -> dict[str, Any] | None:
        if self.instance._state.adding:
            self._clean_slug()
        elif self.cleaned_data.get("seen_version") != self.instance.version:
            raise forms.ValidationError(str(PageMoved()))
        self.texts = clean_texts(
            {
                language: {name: self.cleaned_data.get(f"{name}_{language}", "") for name in ("title", "text")}
                for language, _name in settings.LANGUAGES
            }
        )
        if not self.texts:
            self.add_error(text_fields()[0], _("Write a title."))
        if PUBLISH in self.data:
            for sentence in what_is_missing(self.stored_texts()):
                self.add_error(None, sentence)
        if HIDE in self.data and (problem := why_not_hidden(self.instance.slug)):
            self.add_error(None, problem)
        return super().clean()

    def _clean_slug(self) -> None:
        kind, slug = self.cleaned_data.get("kind"), self.cleaned_data.get("slug", "")
        if kind != OTHER:
            self.cleaned_data["slug"] = kind or ""
        elif not slug:
            self.add_error("slug", _("Write the last part of the page's address."))
        elif slug in PAGE_KINDS:
            self.add_error("slug", _("This address belongs to a page that you can choose above."))
        elif ContentPage.objects.filter(slug=slug).exists():
            self.add_error("slug", _("Another page has this address already."))

    def stored_texts(self) -> dict[str, dict[str, str]]:
        """Return the texts with those in languages that the shop does not have now."""
        languages = dict(settings.LANGUAGES)
        return {language: words for language, words in self.instance.texts.items() if language not in languages} | self.texts


def form_of_languages() -> type[PageForm]:
    """Return the form with a title and a text in each language of the shop."""
    fields: dict[str, Any] = {}
    for language, words in settings.LANGUAGES:
        fields[f"title_{language}"] = forms.CharField(
            label=_("Title (%(language)s)") % {"language": words},
            required=False,
            max_length=LONGEST_TITLE,
            widget=forms.TextInput({"class": "vTextField"}),
        )
        fields[f"text_{language}"] = forms.CharField(
            label=_("Text (%(language)s)") % {"language": words},
            required=False,
            max_length=LONGEST_TEXT,
            widget=forms.Textarea({"rows": 20, "cols": 100}),
            help_text=_("Markdown: # heading, **bold**, [link](https://…), - list. HTML is shown as it is written."),
        )
    return type("PageLanguagesForm", (PageForm,), fields)
