"""Files as they come from other systems (CSV in several dialects, JSON) become rows of cells, or one clear refusal."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from chassis.errors import Rejected
from services.entities.schema import EXTERNAL_ID, Schema, fold_name

MAXIMUM_BYTES = 16 * 1024 * 1024
MAXIMUM_ROWS = 20_000
MAXIMUM_COLUMNS = 400
MAXIMUM_NAMED = 10
SEPARATORS = (";", ",", "\t")
OTHER_SEPARATORS = re.compile(r"[|:^~]")
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it stands in the file. `number` counts from 1; in a CSV file the header is row 1.

    `rejected` says why its cells cannot be told apart.
    """

    number: int
    cells: Mapping[str, object]
    rejected: Rejected | None = None


def read_rows(schema: Schema, body: bytes, media_type: str) -> list[RawRow]:
    """All rows of a file; raises Rejected with a code `invalid_...` when the file as a whole cannot be read."""
    rows = _read_csv(schema, body) if media_type == "text/csv" else _read_json(schema, body)
    if len(rows) > MAXIMUM_ROWS:
        raise Rejected("invalid_too_many_rows", limit=MAXIMUM_ROWS)
    return rows


def _read_json(schema: Schema, body: bytes) -> list[RawRow]:
    try:
        items = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Rejected("invalid_json") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Rejected("invalid_rows")
    headings = schema.headings()
    return [_read_item(headings, number, item) for number, item in enumerate(items, 1)]


def _read_item(headings: Mapping[str, str], number: int, item: Mapping[str, object]) -> RawRow:
    cells: dict[str, object] = {}
    for name, value in item.items():
        meaning = headings.get(fold_name(name[:200]))
        if meaning is None or meaning in cells:
            code = "invalid_attribute" if meaning is None else "invalid_column_twice"
            return RawRow(number, {}, Rejected(code, attribute=name[:100]))
        cells[meaning] = value
    return RawRow(number, cells)


def _read_csv(schema: Schema, body: bytes) -> list[RawRow]:
    text = decode_text(body)
    headings = schema.headings()
    separator = _separator(headings, text)
    lines = _records(text, separator)
    header = next(lines, None)
    if header is None:
        raise Rejected("invalid_empty_file")
    names = _header(schema, headings, header[1])
    rows: list[RawRow] = []
    for number, cells in lines:
        if len(rows) > MAXIMUM_ROWS:
            break
        if len(cells) == len(names):
            rows.append(RawRow(number, dict(zip(names, cells, strict=True))))
        else:
            rows.append(RawRow(number, {}, Rejected("invalid_cells", cells=len(cells), columns=len(names))))
    return rows


def decode_text(body: bytes) -> str:
    """UTF-8 with or without a byte order mark, otherwise Windows-1252; raises Rejected for what is neither."""
    if body.startswith(UTF16_MARKS):
        raise Rejected("invalid_encoding")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Rejected("invalid_encoding")


def _separator(headings: Mapping[str, str], text: str) -> str:
    """The one under which the first record names the most columns; between equals, the one with more cells."""

    def fitness(separator: str) -> tuple[int, int]:
        _, cells = next(_records(text, separator), (0, []))
        return sum(fold_name(cell) in headings for cell in cells), len(cells)

    return max(SEPARATORS, key=fitness)


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Records with their row number; blank ones are counted and left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise Rejected("invalid_csv", row=number, line=reader.line_num) from None
        if any(cell.strip() for cell in cells):
            yield number, cells


def _header(schema: Schema, headings: Mapping[str, str], cells: list[str]) -> list[str]:
    if len(cells) > MAXIMUM_COLUMNS:
        raise Rejected("invalid_too_many_columns", limit=MAXIMUM_COLUMNS)
    if len(cells) == 1 and any(fold_name(part) in headings for part in OTHER_SEPARATORS.split(cells[0])[1:]):
        raise Rejected("invalid_separator")
    unknown = [cell.strip()[:100] for cell in cells if fold_name(cell) not in headings]
    if unknown:
        known = list(schema.columns)
        raise Rejected("invalid_columns", columns=unknown[:MAXIMUM_NAMED], known=known)
    names = [headings[fold_name(cell)] for cell in cells]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise Rejected("invalid_column_twice", attribute=name)
    if schema.external_id not in names:
        raise Rejected("invalid_no_external_id", attribute=schema.external_id, external_id=EXTERNAL_ID)
    return names
