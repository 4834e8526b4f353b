import os
import runpy
import sys
from pathlib import Path

import pytest
from django.core import management
from django.core.exceptions import ImproperlyConfigured

import manage
from cryptons import environment as env
from cryptons.cache_config import redis_caches
from cryptons.checks import check_data_folder
from cryptons.schedule import broker_options, broker_url
from cryptons.serving.preparation import check_staff_settings

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_variable_takes_precedence_over_its_file_and_the_default(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("from file\n")
    assert env.text("NAME_X", "default") == "default"
    monkeypatch.setenv("NAME_X_FILE", str(file))
    assert env.text("NAME_X", "default") == "from file"
    monkeypatch.setenv("NAME_X", "from variable")
    assert env.text("NAME_X", "default") == "from variable"


def test_the_error_names_the_setting_whose_secret_file_is_unreadable(monkeypatch):
    monkeypatch.setenv("NAME_X_FILE", "/nowhere/at/all")
    with pytest.raises(ImproperlyConfigured, match="NAME_X_FILE"):
        env.text("NAME_X")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.boolean("NAME_X", True), "maybe"),
        (lambda: env.integer("NAME_X", 1, minimum=1, maximum=9), "ten"),
        (lambda: env.integer("NAME_X", 1, minimum=1, maximum=9), "10"),
        (lambda: env.integer("NAME_X", 1, minimum=1, maximum=9), "1.5"),
        (lambda: env.decimal("NAME_X", "1", minimum="0", maximum="9"), "NaN"),
        (lambda: env.decimal("NAME_X", "1", minimum="0", maximum="9"), "-1"),
        (lambda: env.choice("NAME_X", "a", ("a", "b")), "c"),
    ],
)
def test_the_error_of_an_invalid_value_names_the_setting_and_the_value(monkeypatch, read, value):
    monkeypatch.setenv("NAME_X", value)
    with pytest.raises(ImproperlyConfigured, match=rf"^NAME_X must be .*, not '{value}'\.$"):
        read()


@pytest.mark.parametrize(
    "value", ["http://search", "search:9200", "http://[", "http://h:x", "http://h:0", "ftp://h:1", "http://a:se#cret@h:1"]
)
def test_an_address_that_is_none_stops_the_start_without_repeating_its_password(monkeypatch, value):
    monkeypatch.setenv("NAME_X", value)
    with pytest.raises(ImproperlyConfigured, match=r"^NAME_X must look like http://host:9200\.$"):
        env.url("NAME_X", like="http://host:9200", needs_port=True)


def test_an_empty_variable_means_the_default(monkeypatch):
    monkeypatch.setenv("NAME_X", "")
    assert env.integer("NAME_X", 7, minimum=1, maximum=9) == 7


def test_a_list_of_words_is_split_at_commas_and_trimmed(monkeypatch):
    monkeypatch.setenv("NAME_X", " a , b,,c ")
    assert env.words("NAME_X") == ["a", "b", "c"]


def test_a_generated_secret_is_kept_and_only_its_owner_can_read_it(tmp_path):
    file = tmp_path / "secret_key"

    secret = env.stored_secret(file)

    assert len(secret) == 50
    assert env.stored_secret(file) == secret
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("secret_key", 0o600)]


def test_a_generated_secret_is_flushed_before_it_has_its_name(tmp_path, monkeypatch):
    named = []
    monkeypatch.setattr(env.os, "fsync", lambda number: named.append((tmp_path / "secret_key").exists()))

    env.stored_secret(tmp_path / "secret_key")

    assert named == [False]


def test_a_secret_that_was_lost_stops_the_start_and_says_what_to_do(tmp_path):
    (tmp_path / "secret_key").touch()
    with pytest.raises(ImproperlyConfigured, match=r"secret_key is empty: restore it from a backup\. Or delete it"):
        env.stored_secret(tmp_path / "secret_key")


def test_a_data_folder_without_a_readable_secret_is_named(tmp_path):
    (tmp_path / "secret_key").mkdir()
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR must be a folder that can be read and written; .*secret_key cannot"):
        env.stored_secret(tmp_path / "secret_key")


def test_the_data_folder_is_for_its_owner_alone(tmp_path, capsys):
    env.make_private(tmp_path / "new" / "data")

    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
    assert capsys.readouterr().err == ""


def test_a_data_folder_that_others_can_read_is_closed_and_that_is_said_once(tmp_path, capsys):
    tmp_path.chmod(0o755)

    env.make_private(tmp_path)
    env.make_private(tmp_path)

    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert capsys.readouterr().err == f"Other users of this machine could read the folder {tmp_path}. Now only its owner can.\n"


def test_a_data_folder_of_another_owner_stays_and_is_warned_of(tmp_path, monkeypatch, settings):
    def refuse(self, mode):
        raise PermissionError

    tmp_path.chmod(0o770)
    monkeypatch.setattr(Path, "chmod", refuse)
    settings.DATA_DIR = tmp_path

    env.make_private(tmp_path)

    assert [message.id for message in check_data_folder()] == ["cryptons.W002"]


def test_a_data_folder_that_is_read_only_stops_the_start_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(env.os, "access", lambda path, mode: False)
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR must be a folder that can be written, not '.*'"):
        env.make_private(tmp_path)


def test_a_queue_folder_that_cannot_be_made_stops_the_start_with_a_sentence(tmp_path):
    (tmp_path / "queue").touch()
    with pytest.raises(ImproperlyConfigured, match=r"^DATA_DIR must be a folder that can be written; .*queue cannot"):
        broker_options("filesystem://localhost", tmp_path / "queue")


def test_what_the_shop_writes_is_for_its_own_user(tmp_path):
    before = os.umask(0o022)
    try:
        runpy.run_path(str(ROOT / "cryptons" / "settings.py"))
        (tmp_path / "cryptons.sqlite3").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "cryptons.sqlite3").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"SHOP_NAME=caf\xe9\n", b"A=\x00\n"])
def test_an_env_file_that_cannot_be_read_stops_the_start_with_a_sentence(tmp_path, content):
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=r"\.env must be a text file in UTF-8 that this user can read"):
        env.load_dotenv(tmp_path / ".env")


def test_redis_on_a_socket_is_the_queue_too():
    assert broker_url("", "unix:///run/redis.sock?db=2") == "redis+socket:///run/redis.sock?virtual_host=2"
    assert broker_url("", "redis://redis:6379/0") == "redis://redis:6379/0"
    assert broker_url("", "") == "filesystem://localhost"


@pytest.mark.parametrize("url", ["redis://h:x", "sqs://", "http://h", "redis", "redis://:pa#ss@h"])
def test_a_queue_that_is_none_stops_the_start(url):
    with pytest.raises(ImproperlyConfigured, match=r"^CELERY_BROKER_URL must be an address such as redis://host:6379/0"):
        broker_url(url, "")


@pytest.mark.parametrize("url", ["redis://h:x", "redis://:12#ss@h", "http://h", "redis"])
def test_a_redis_address_that_is_none_stops_the_start(url):
    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_URL must start with redis://"):
        redis_caches(url)


@pytest.mark.parametrize("name", ["a b", "x" * 151, ""])
def test_a_staff_name_that_no_account_can_have_stops_the_start(name, settings):
    settings.ADMIN_USERNAME = name
    with pytest.raises(ImproperlyConfigured, match=r"^ADMIN_USERNAME cannot be used\. "):
        check_staff_settings()


@pytest.mark.parametrize(("command", "ends_with"), [("serve", SystemExit), ("prepare", SystemExit), ("check", OSError)])
def test_a_file_that_cannot_be_written_ends_the_start_with_a_sentence(command, ends_with, monkeypatch):
    def fail(arguments):
        raise IsADirectoryError(21, "Is a directory", "/srv/shop/static.stamp")

    monkeypatch.setattr(sys, "argv", ["manage.py", command])
    monkeypatch.setattr(management, "execute_from_command_line", fail)
    with pytest.raises(ends_with, match=r"static\.stamp"):
        manage.main()
