"""Arrays as PostgreSQL takes them in binary, packed a whole list at a time: the hot path of the event log."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

TEXT, BYTEA, SMALLINT, INTEGER, BIGINT, TIMESTAMPTZ = 25, 17, 21, 23, 20, 1184
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_NULL = b"\xff\xff\xff\xff"
_length = struct.Struct("!i").pack


class Packed:
    """A one-dimensional array, ready to send. `of` is the type of its elements, `body` each with its length before."""

    __slots__ = ("body", "count", "nulls")

    def __init__(self, count: int, body: bytes, *, nulls: bool = False) -> None:
        self.count = count
        self.body = body
        self.nulls = nulls


class Texts(Packed):
    """text[]"""


class Bytes(Packed):
    """bytea[]"""


class Shorts(Packed):
    """smallint[]"""


class Integers(Packed):
    """integer[]"""


class Longs(Packed):
    """bigint[]"""


class Times(Packed):
    """timestamptz[]"""


def texts(values: Iterable[str | None]) -> Texts:
    """text[], None as NULL."""
    encoded = [None if value is None else value.encode() for value in values]
    body = b"".join([_NULL if item is None else _length(len(item)) + item for item in encoded])
    return Texts(len(encoded), body, nulls=None in encoded)


def byteas(values: Sequence[bytes]) -> Bytes:
    """bytea[]"""
    return Bytes(len(values), b"".join([_length(len(value)) + value for value in values]))


def shorts(values: Sequence[int]) -> Shorts:
    """smallint[]"""
    return Shorts(len(values), struct.pack("!" + "ih" * len(values), *_with_lengths(2, values)))


def integers(values: Sequence[int]) -> Integers:
    """integer[]"""
    return Integers(len(values), struct.pack("!" + "ii" * len(values), *_with_lengths(4, values)))


def longs(values: Sequence[int]) -> Longs:
    """bigint[]"""
    return Longs(len(values), struct.pack("!" + "iq" * len(values), *_with_lengths(8, values)))


def times(values: Sequence[datetime]) -> Times:
    """timestamptz[], to the microsecond."""
    microseconds = [(value - EPOCH) // MICROSECOND for value in values]
    return Times(len(values), struct.pack("!" + "iq" * len(values), *_with_lengths(8, microseconds)))


def _with_lengths(size: int, values: Sequence[int]) -> list[int]:
    pairs = [size] * (2 * len(values))
    pairs[1::2] = values
    return pairs


def _dumper(element: int, array: int) -> type[Dumper]:
    class PackedDumper(Dumper):
        format = Format.BINARY
        oid = array

        def dump(self, obj: Packed) -> bytes:
            return struct.pack("!iiiii", 1, int(obj.nulls), element, obj.count, 1) + obj.body

    return PackedDumper


for _class, _element, _array in (
    (Texts, TEXT, 1009),
    (Bytes, BYTEA, 1001),
    (Shorts, SMALLINT, 1005),
    (Integers, INTEGER, 1007),
    (Longs, BIGINT, 1016),
    (Times, TIMESTAMPTZ, 1185),
):
    psycopg.adapters.register_dumper(_class, _dumper(_element, _array))
