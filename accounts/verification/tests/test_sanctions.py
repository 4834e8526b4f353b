import pytest

from accounts.verification.sanctions import UnreadableList, current_list


def find(path, *, name="Ada Lovelace", address=("12 Example Road", "N1 1AA", "London"), email="ada@example.com"):
    return next(current_list(str(path)).find(names=[name], address=address, email=email), "")


@pytest.fixture
def listed(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("# the list\nPetrov, Iván\nMonopole\n7 Harbour Road, Minsk\nmule@BÜCHER.example  # a mail address\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("buyer", "entry"),
    [
        ({"name": "IVAN S. PETROV"}, "Petrov, Iván"),
        ({"name": "Iv\u200dan \U0001d40fet\u00adr\u3164ov\ufe0f"}, "Petrov, Iván"),
        ({"name": "Ivan Petrovic"}, ""),
        ({"name": "Monopole"}, "Monopole"),
        ({"name": "Ada Monopole"}, ""),
        ({"address": ("Harbour Road 7", "220030", "Minsk")}, "7 Harbour Road, Minsk"),
        ({"address": ("Harbour Road 8", "220030", "Minsk")}, ""),
        ({"email": "Mule@xn--bcher-kva.example"}, "mule@bücher.example"),
        ({"email": "mule+shop@bücher.example"}, "mule@bücher.example"),
    ],
)
def test_a_name_an_address_or_a_mail_address_matches_however_it_is_written(listed, buyer, entry):
    assert find(listed, **buyer) == entry


def test_a_csv_file_is_read_by_its_columns(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text('id,Name,programme,address\n7,"Petrov, Ivan",Ada Lovelace,"1 Pier, Minsk"\n', encoding="utf-8-sig")

    assert (find(file, name="Ivan Petrov"), find(file), find(file, address=["Pier 1", "Minsk"])) == ("Petrov, Ivan", "", "1 Pier, Minsk")


def test_the_list_is_read_again_when_it_has_changed(listed):
    assert find(listed) == ""

    listed.write_text("Ada Lovelace\n", encoding="utf-8")

    assert find(listed) == "Ada Lovelace"


@pytest.mark.parametrize("content", [None, b"", b"# only a comment\n", b"\xff\xfe\xfd", b"id,programme\n1,2\n"])
def test_a_list_that_cannot_be_read_or_is_empty_is_an_error(tmp_path, content):
    file = tmp_path / "list.csv"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UnreadableList):
        current_list(str(file))
