"""Folds: a view is the same however its events arrive in batches."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope, Metadata, Record
from contracts.ids import Position
from tests.chassis.events import COUNTERS, Counter, Increased

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def envelope(sequence: int, stream: str, by: int) -> Envelope:
    event = Increased(by=by)
    data = event.model_dump_json().encode()
    return Envelope(Record(Position("billing", 0, sequence), stream, 1, Increased.type, NOW, Metadata(), data), event)


@given(st.lists(st.tuples(st.sampled_from(["counter/a", "counter/b", "echo/a"]), st.integers(0, 9))), st.data())
def test_batches_make_no_difference(steps: list[tuple[str, int]], data: st.DataObject) -> None:
    envelopes = [envelope(number, stream, by) for number, (stream, by) in enumerate(steps, 1)]
    whole = COUNTERS.fold({}, envelopes)
    parts: dict[str, Counter | None] = {}
    rest = envelopes
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        parts |= COUNTERS.fold(parts, rest[:size])
        rest = rest[size:]
    assert parts == whole
    assert set(whole) == {stream[-1] for stream, _ in steps if not stream.startswith("echo/")}


def test_a_view_knows_its_topics_and_table() -> None:
    assert COUNTERS.topics == ("billing",)
    assert COUNTERS.table == "view_counters_v1"
    assert COUNTERS.consumer == "view:counters:v1"
