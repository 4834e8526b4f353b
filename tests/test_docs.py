"""What the documents tell people to type works, and what they name exists."""

import json
import os
import re
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from cryptons.api.permissions import DJANGO_PERMISSIONS
from cryptons.coins import core_coins
from payments.networks.lightning import macaroons
from payments.tests.factories import InvoiceFactory
from shop.catalogue.changes import rebuild_search
from shop.models import Order
from shop.tests.factories import ProductFactory

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
SETTINGS = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SOURCES = [path for pattern in ("*.py", "Makefile", ".ci/run", "tests/stack/tools/*.sh") for path in ROOT.glob(pattern)]
SOURCES += [path for app in ("accounts", "cryptons", "payments", "reviews", "shop", "tests") for path in (ROOT / app).rglob("*.py")]


@dataclass(frozen=True)
class Block:
    """Indented by four or more, as in Markdown."""

    document: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Without comments, and each command on one line."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    @property
    def program(self) -> str:
        """What the block is for: its first program, or "settings"."""
        if all(re.match(r"[A-Z][A-Z0-9_]*=", line) for line in self.lines):
            return "settings"
        if "curl " in self.text:
            return "curl"
        return self.lines[0].split()[0]


def blocks() -> Iterator[Block]:
    for document, text in TEXTS.items():
        for found in re.finditer(r"(?:^(?: {4,}\S.*|[ ]*)\n)+", text, re.MULTILINE):
            if found.group().strip():
                yield Block(document, textwrap.dedent(found.group()).strip("\n"))


BLOCKS = list(blocks())


def of(program: str) -> list[Block]:
    return [block for block in BLOCKS if block.program == program]


def spans(text: str) -> list[str]:
    """Code inside sentences, and links to files."""
    return re.findall(r"`([^`\n]+)`", text)


def test_every_command_block_in_the_documents_is_run_or_checked_by_a_test():
    checked = {"settings", "make", "curl", "sqlite3", "lncli", "printf"}

    assert {block.program for block in BLOCKS} == checked


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_that_a_document_names_exist(document):
    text = TEXTS[document]
    linked = [(ROOT / document).parent / link.split("#")[0] for link in re.findall(r"\]\(([^)\s:]+)\)", text) if not link.startswith("#")]
    named = [ROOT / span.rstrip("/") for span in spans(text) if is_path(span)]

    missing = [
        str(path) for path in [*linked, *named] if not (list(ROOT.glob(str(path.relative_to(ROOT)))) if "*" in str(path) else path.exists())
    ]

    assert missing == []


def is_path(span: str) -> bool:
    """Whether it is meant as a file of the repository: with a folder that is there, or with the ending of a source file."""
    if re.search(r"[\s<>…(){}=:$%]", span) or span.startswith(("/", "~", "var/", "-", ".venv")):
        return False
    first = span.partition("/")[0]
    return ("/" in span and (ROOT / first).exists()) or bool(re.search(r"/.*\.(py|md|sh|yml|html|svg)$", span))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_anchors_of_links_in_a_document_are_headings(document):
    for file, anchor in re.findall(r"\]\(([^)\s:#]*)#([^)\s]+)\)", TEXTS[document]):
        target = ((ROOT / document).parent / file) if file else ROOT / document
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_make_targets_that_a_document_names_exist(document):
    commands = [line for block in of("make") if block.document == document for line in block.lines]
    commands += [span for span in spans(TEXTS[document]) if re.match(r"([A-Z]+=\S+ )?make\b", span)]
    for command in commands:
        words = [word for word in shlex.split(command, comments=True) if "=" not in word]
        assert words[0] == "make"
        assert set(words[1:]) <= TARGETS, command


def test_the_permissions_of_the_api_are_listed_for_staff():
    assert set(re.findall(r"`([\w-]+:\w+)`", TEXTS["docs/staff.md"])) == set(DJANGO_PERMISSIONS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_management_commands_that_a_document_names_exist_with_their_options(document):
    for name, options in re.findall(r"manage\.py ([a-z_]+)([^`\n]*)", re.sub(r"\n +", " ", TEXTS[document])):
        if name == "version":
            continue  # answered before Django: cryptons/tests/test_version.py
        command = load_command_class(get_commands()[name], name)
        known = command.create_parser("manage.py", name)._option_string_actions
        assert set(re.findall(r"--[a-z-]+", options)) <= set(known), (name, options)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_settings_and_code_names_that_a_document_names_exist(document):
    lines = [line for block in of("settings") if block.document == document for line in block.lines]
    assert {line.partition("=")[0] for line in lines} <= SETTINGS

    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name != "test_docs.py")
    for span in spans(TEXTS[document]):
        if found := re.fullmatch(r"([A-Z][A-Z0-9]*_[A-Z0-9_]*)(\*|=\S*)?", span):
            name = found[1]
            is_prefix = found[2] == "*" or name.endswith("_")
            assert name in SETTINGS or re.search(rf"\b{name}{'' if is_prefix else chr(92) + 'b'}", code) or is_of_a_coin(name), name


def is_of_a_coin(name: str) -> bool:
    return any(name.startswith(f"{coin.prefix}_") for coin in core_coins()) and any(known.startswith(name) for known in SETTINGS)


def test_the_decisions_are_numbered_in_order():
    numbers = [int(number) for number in re.findall(r"^\*\*D(\d+)\. ", TEXTS["docs/decisions.md"], re.MULTILINE)]

    assert numbers == list(range(1, len(numbers) + 1))
    assert {int(number) for number in re.findall(r"\bD(\d+)\b", "".join(TEXTS.values()))} <= set(numbers)


def test_no_file_refers_to_a_document_that_does_not_exist():
    names = ("PAYMENTS", "API", "DESIGN", "STYLE", "SERVERS", "LIGHTNING")
    gone = re.compile(rf"\b({'|'.join(names)})\.md\b|payment rules")
    paths = [
        path for path in [*SOURCES, *ROOT.glob("templates/**/*.*"), *(ROOT / name for name in DOCUMENTS)] if path.name != "test_docs.py"
    ]

    assert [path.relative_to(ROOT).as_posix() for path in paths if gone.search(path.read_text(encoding="utf-8"))] == []


def test_the_documented_macaroons_have_the_permissions_that_the_shop_needs():
    receiving, paying = of("lncli")

    assert set(re.findall(r"uri:\S+", receiving.text)) == set(macaroons.RECEIVE | macaroons.ESTIMATE)
    assert set(re.findall(r"uri:\S+", paying.text)) == set(macaroons.PAY_OUT)


def test_the_documented_env_file_has_the_variables_that_compose_requires(tmp_path):
    (block,) = of("printf")
    first, second = block.lines
    subprocess.run(["sh", "-ec", first], cwd=tmp_path, check=True)
    written = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())

    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(written) == set(re.findall(r"\$\{([A-Z_]+):\?", compose))
    assert len(written["SECRET_KEY"]) >= 32
    assert second == "docker compose up --build"
    assert yaml.safe_load(compose)["services"]["web"]["build"] == "."


def test_the_documented_sqlite_backup_copies_the_database_of_the_shop():
    (block,) = of("sqlite3")

    assert shlex.split(block.text) == ["sqlite3", "var/cryptons.sqlite3", ".backup copy.sqlite3"]
    assert "cryptons.sqlite3" in (ROOT / "cryptons/settings.py").read_text(encoding="utf-8")


def run_shell(block: Block, address: str, **environment: str) -> str:
    """The block's output, with the shop at this address."""
    for program in ("bash", "curl", "jq", "openssl"):
        assert shutil.which(program), f"The examples need {program}: apt-get install curl jq openssl"
    script = re.sub(r"https?://(127\.0\.0\.1:8000|shop\.example)", address, block.text)
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.django_db(transaction=True)
def test_the_api_example_in_the_readme_places_an_order(live_server, settings, tmp_path, monkeypatch):
    settings.RATE_LIMIT_API = settings.RATE_LIMIT_AUTH = "1000/minute"
    ProductFactory(sku="KETTLE")
    rebuild_search()
    (block,) = [block for block in of("curl") if block.document == "README.md"]

    placed, read = read_objects(run_shell(block, live_server.url))

    order = Order.objects.get()
    assert (order.email, order.user, order.lines.get().sku) == ("ada@example.com", None, "KETTLE")
    assert (placed["orderNumber"], placed["status"], placed["payment"]["network"]) == (order.number, "pending", "BTC")
    assert read == {"orderNumber": order.number, "paymentStatus": "unpaid"}

    assert read_objects(run_shell(block, live_server.url)) == [placed, read]
    assert Order.objects.count() == 1


def read_objects(text):
    """Read what several calls of jq have printed."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


@pytest.mark.django_db(transaction=True)
def test_the_documented_webhook_example_is_accepted(live_server, settings):
    settings.WEBHOOK_SECRET = ["a secret of ours"]
    (block,) = [block for block in of("curl") if block.document == "docs/production.md"]
    number = re.search(r'"orderId":"([^"]+)"', block.text)
    assert number
    InvoiceFactory(label=f"order_{number[1]}")

    assert '"success":true' in run_shell(block, live_server.url, WEBHOOK_SECRET="a secret of ours")
