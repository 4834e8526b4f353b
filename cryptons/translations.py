"""Collect the sentences of code and templates into locale/<language>/LC_MESSAGES/django.po, and compile it to django.mo.

Needs Babel only, no GNU gettext. The order is that of the sentences and no line number is written, so a change of code changes few lines.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

APPS = ("accounts", "cryptons", "payments", "reviews", "shop")
SKIPPED = frozenset({"tests", "migrations", "mongo_migrations"})
KEYWORDS = (
    DEFAULT_KEYWORDS
    | {f"{name}_lazy": DEFAULT_KEYWORDS[name] for name in ("gettext", "ngettext", "pgettext", "npgettext")}
    | {"gettext_noop": None}
)
HEADERS = (b"Language", b"Plural-Forms", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding")
"""Those that say something; times and versions would change with each run."""

NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
"""In compiled files, so that the same sentences make the same bytes."""


def languages() -> list[str]:
    """List the languages that have a folder in locale/."""
    return sorted(folder.name for folder in (settings.BASE_DIR / "locale").iterdir() if folder.is_dir())


def update(language: str) -> None:
    """Bring the language's .po up to date with the code, and its .mo with the .po."""
    catalog = _updated(language)
    folder = _folder(language)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "django.po").write_bytes(_as_po(catalog))
    (folder / "django.mo").write_bytes(_as_mo(catalog))


def problems(language: str) -> list[str]:
    """Return why the language is not complete: stale files, and sentences without a sound translation."""
    catalog = _updated(language)
    folder = _folder(language)
    po, mo = folder / "django.po", folder / "django.mo"
    is_fresh = po.exists() and po.read_bytes() == _as_po(catalog)
    is_compiled = mo.exists() and _compiled(mo.read_bytes()) == _compiled(_as_mo(catalog))
    stale = [] if is_fresh and is_compiled else ["stale: run `make messages`"]
    messages = [message for message in catalog if message.id]
    untranslated = [f"untranslated: {message.id}" for message in messages if not all(_strings(message.string))]
    fuzzy = [f"fuzzy: {message.id}" for message in messages if message.fuzzy]
    unsound = [f"{error}: {message.id}" for message in messages if all(_strings(message.string)) for error in message.check(catalog)]
    return [*stale, *untranslated, *fuzzy, *unsound]


def _strings(string: object) -> list[str]:
    return [string] if isinstance(string, str) else list(string) if isinstance(string, (list, tuple)) else [""]


def _updated(language: str) -> Catalog:
    """Read the stored catalog, add the current sentences and drop those that are no longer used."""
    file = _folder(language) / "django.po"
    catalog = Catalog(locale=language)
    if file.exists():
        with file.open("rb") as stored:
            catalog = read_po(stored, locale=language)
    catalog.update(_extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment, catalog.fuzzy = "", False
    return catalog


def _extracted() -> Catalog:
    catalog = Catalog()
    for file in _sources():
        source = file.read_bytes()
        if file.suffix != ".py":
            source = _as_python(source.decode(), file.name)
        for _, message, _, context in extract("python", BytesIO(source), KEYWORDS):
            catalog.add(message, context=context)
    return catalog


def _sources() -> Iterator[Path]:
    for app in APPS:
        for file in sorted((settings.BASE_DIR / app).rglob("*.py")):
            if not SKIPPED & set(file.relative_to(settings.BASE_DIR).parts):
                yield file
    for ending in ("html", "txt"):
        yield from sorted((settings.BASE_DIR / "templates").rglob(f"*.{ending}"))


def _as_python(template: str, name: str) -> bytes:
    """Django writes a template as calls of gettext among `X`s; without indentation Python's tokenizer can read them."""
    return "\n".join(line.strip() for line in templatize(template, origin=name).splitlines()).encode()


def _as_po(catalog: Catalog) -> bytes:
    file = BytesIO()
    write_po(file, catalog, width=120, no_location=True, sort_output=True, ignore_obsolete=True)
    header, blank, rest = file.getvalue().partition(b"\n\n")
    kept = [line for line in header.splitlines() if not line.startswith(b'"') or line[1:].split(b":")[0] in HEADERS]
    return b"\n".join(line for line in kept if line != b"#") + blank + rest


def _as_mo(catalog: Catalog) -> bytes:
    file = BytesIO()
    catalog.creation_date = catalog.revision_date = NO_DATE
    write_mo(file, catalog)
    return file.getvalue()


def _compiled(content: bytes) -> dict[tuple[object, object], object]:
    return {(str(message.id), message.context): message.string for message in read_mo(BytesIO(content)) if message.id}


def _folder(language: str) -> Path:
    return Path(settings.BASE_DIR) / "locale" / language / "LC_MESSAGES"
