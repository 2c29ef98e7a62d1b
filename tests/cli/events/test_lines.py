"""How an event looks on terminals of any width, and that nothing in it can steer one."""

import io

import pytest
from rich.console import Console

from cli.events.lines import details, line
from cli.events.seen import Seen
from contracts.ids import Position
from tests.contracts.examples import examples, record

STREAM = "instalments/8a1f3f52-7f7e-5f43-9d0c-2f1f4f0f9b02"


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system="truecolor", highlight=False)


def seen(data: dict[str, object], type_: str = "portico.billing.InstalmentChanged.v1", stream: str = STREAM) -> Seen:
    found = record(Position("billing", 2, 1234), type_=type_, stream=stream)
    return Seen("portico.billing", 2, 1233, 0, found.time, b"", found, data)


FACTS: dict[str, object] = {
    "contract_id": "8a1f",
    "amount_cents": -123_456,
    "currency": "EUR",
    "effective_from": "2026-12-01",
    "schedule": [1, 2, 3],
    "recipient": {"sealed": "contact/5d2c5d5e-0f0b-5a51-8f0e-6b8f3c9f1a01", "box": "AAAA"},
    "portal_id": None,
}


def test_a_wide_terminal_has_columns() -> None:
    text = line(terminal(200), seen(FACTS)).plain
    assert text.startswith(
        "12:00:00.120  InstalmentChanged       instalments/8a1f3f52      billing/2:1234        amount"
    )
    assert "amount -1,234.56 EUR  effective from 2026-12-01  schedule 3×  recipient [sealed contact/5d2c5d5e]" in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("name", examples())
def test_every_event_fits_one_line_of_any_terminal(name: str, width: int) -> None:
    for data in examples()[name]:
        console = terminal(width)
        text = line(console, seen(data, name))
        assert text.cell_len <= width
        console.print(text)
        assert isinstance(console.file, io.StringIO)
        assert console.file.getvalue().count("\n") == 1


def test_a_narrow_terminal_keeps_what_matters_most() -> None:
    text = line(terminal(80), seen(FACTS)).plain
    assert text.startswith("12:00:00 InstalmentChanged billing/2:1234 instalments/8a1f3f52 amount")
    assert text.endswith("…")


def test_later_versions_and_strange_types_have_names() -> None:
    assert seen({}, "portico.billing.InstalmentChanged.v2").type_name == "InstalmentChanged.v2"
    assert seen({}, "lamp").type_name == "lamp"


def test_nothing_in_an_event_steers_the_terminal() -> None:
    evil = "\x1b[2J\x07\x9b31m\u202e\n"
    event = seen({evil: evil, "list": [evil], "deep": {evil: evil}}, stream=f"instalments/{evil}")
    console = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None, highlight=False)
    console.print(line(console, event))
    console.print(details(event))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
