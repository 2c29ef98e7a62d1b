"""Files in all the dialects that people send, and the ones that nobody can read."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Rejected
from services.entities.app import SCHEMAS
from services.entities.imports.reading import MAXIMUM_ROWS, RawRow, read_rows

CONTACT = SCHEMAS["contact"]


def read(body: bytes | str) -> list[RawRow]:
    return read_rows(CONTACT, body.encode() if isinstance(body, str) else body, "text/csv")


def refused(body: bytes | str, media_type: str = "text/csv") -> Rejected:
    with pytest.raises(Rejected) as caught:
        read_rows(CONTACT, body.encode() if isinstance(body, str) else body, media_type)
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_dialects(encoding: str, separator: str, newline: str) -> None:
    lines = [["Kundennummer", "Nachname", "Straße und Hausnummer"], ["K-1", "Krüger", "Große Gasse 1"]]
    body = newline.join(separator.join(line) for line in lines)
    (row,) = read(body.encode(encoding))
    assert row == RawRow(2, {"customer_number": "K-1", "last_name": "Krüger", "street": "Große Gasse 1"})


@pytest.mark.parametrize("header", ["customer_number;last_name", "KUNDENNUMMER; Nachname ", "external_id;Last Name"])
def test_a_column_is_called_by_name_or_label(header: str) -> None:
    assert read(f"{header}\nK-1;Sommer")[0].cells == {"customer_number": "K-1", "last_name": "Sommer"}


def test_quotes_hold_separators_newlines_and_quotes() -> None:
    (row, after) = read('customer_number;last_name;city\nK-1;"von ""und""; zu\nBerg";Lindenau\nK-2;Sommer;Ruhland\n')
    assert row.cells["last_name"] == 'von "und"; zu\nBerg'
    assert (row.number, after.number) == (2, 3)


def test_the_header_decides_the_separator() -> None:
    assert read('customer_number,last_name\n"K;1",Sommer')[0].cells["customer_number"] == "K;1"
    assert read("customer_number\nK-1")[0].cells == {"customer_number": "K-1"}


def test_blank_lines_are_counted_and_passed_over() -> None:
    assert [row.number for row in read("customer_number;last_name\n\nK-1;Sommer\n;\n\nK-2;Winter\n\n")] == [3, 6]


@pytest.mark.parametrize("cells", ["K-1", "K-1;Sommer;more"])
def test_a_row_with_another_number_of_cells(cells: str) -> None:
    (row, good) = read(f"customer_number;last_name\n{cells}\nK-2;Winter")
    assert row.rejected
    assert row.rejected.code == "invalid_cells"
    assert good.rejected is None


def test_header_only() -> None:
    assert read("customer_number;last_name\n") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_empty_file"),
        (b"\xef\xbb\xbf", "invalid_empty_file"),
        (b"\n \n\n", "invalid_empty_file"),
        ("customer_number;last_name\nK-1;Ä".encode("utf-16"), "invalid_encoding"),
        (b"customer_number;last_name\nK-1;\x81", "invalid_encoding"),
        ("customer_number;shoe_size\nK-1;40", "invalid_columns"),
        ("Maier;Hans\nK-1;40", "invalid_columns"),
        ("customer_number|last_name\nK-1|Sommer", "invalid_separator"),
        ("customer_number:last_name", "invalid_separator"),
        ("who:what\nK-1", "invalid_columns"),
        ("customer_number;Kundennummer\nK-1;K-1", "invalid_column_twice"),
        ("last_name\nSommer", "invalid_no_external_id"),
        ("customer_number;" + ";".join(f"c{n}" for n in range(400)), "invalid_too_many_columns"),
        ('customer_number;last_name\nK-1;"Sommer', "invalid_csv"),
        ('customer_number;last_name\nK-1;"Som"mer', "invalid_csv"),
        ("customer_number;last_name\nK-1;" + "x" * 200_000, "invalid_csv"),
        ("customer_number\n" + "\n".join(map(str, range(MAXIMUM_ROWS + 1))), "invalid_too_many_rows"),
    ],
)
def test_files_that_cannot_be_read(body: bytes | str, code: str) -> None:
    assert refused(body).code == code


def test_a_broken_file_names_the_row() -> None:
    assert refused('customer_number;last_name\nK-1;Sommer\nK-2;"Win"ter').facts["row"] == 3


def test_unknown_columns_are_named_with_the_possible_ones() -> None:
    facts = refused("customer_number;Schuhgröße\nK-1;40").facts
    assert facts["columns"] == ["Schuhgröße"]
    assert "last_name" in facts["known"]  # type: ignore[operator]


def test_a_nul_byte_is_a_matter_of_its_cell() -> None:
    assert read(b"customer_number;last_name\nK-1;Som\0mer")[0].cells["last_name"] == "Som\0mer"


def test_json() -> None:
    body = orjson.dumps([{"customer_number": "K-1", "Nachname": "Sommer"}, {"shoe_size": 40}, {}])
    rows = read_rows(CONTACT, body, "application/json")
    assert rows[0] == RawRow(1, {"customer_number": "K-1", "last_name": "Sommer"})
    assert rows[1].rejected
    assert rows[1].rejected.code == "invalid_attribute"
    assert rows[2] == RawRow(3, {})


@pytest.mark.parametrize(("body", "code"), [("{", "invalid_json"), ("{}", "invalid_rows"), ("[1]", "invalid_rows")])
def test_json_that_is_no_rows(body: str, code: str) -> None:
    assert refused(body, "application/json").code == code


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for start in (b"", b"customer_number;last_name\n"):
        try:
            read(start + body)
        except Rejected as rejected:
            assert rejected.code.startswith("invalid_")  # noqa: PT017 both ends are fine
