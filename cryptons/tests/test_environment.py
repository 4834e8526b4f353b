import pytest
from django.core.exceptions import ImproperlyConfigured

from cryptons import environment as env


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
