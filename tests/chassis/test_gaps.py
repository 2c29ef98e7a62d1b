"""Whatever order records stand in, a partition that has every sequence is applied whole, in order, each record once."""

from hypothesis import given
from hypothesis import strategies as st

from chassis.bus import ForeignRecord
from chassis.checkpoints import Checkpoint
from chassis.gaps import Gap, select

START = Checkpoint(0, 0, 1)


def record(offset: int, sequence: int | None) -> ForeignRecord:
    return ForeignRecord("t", 0, offset, b"", str(sequence).encode() if sequence else None, [], 0)


def sequence_of(one: ForeignRecord) -> int | None:
    return int(one.value) if one.value else None


@st.composite
def layouts(draw: st.DrawFn) -> list[int]:
    """Sequences 1 to n in any order, some of them repeated."""
    n = draw(st.integers(1, 12))
    repeated = draw(st.lists(st.integers(1, n), max_size=8))
    return draw(st.permutations([*range(1, n + 1), *repeated]))


@given(layouts(), st.data())
def test_any_order_is_put_right(layout: list[int], data: st.DataObject) -> None:
    """Reads in batches of any size, begins anew at the checkpoint now and then, and rewinds at the end."""
    records = [record(offset, sequence) for offset, sequence in enumerate(layout)]
    claim, gap, at = START, None, 0
    applied: list[int | None] = []
    for _ in range(30 * len(layout)):
        if at >= len(records):
            if gap is None:
                break
            assert not gap.rewound, "what is there was not found"
            gap, at = Gap(0, gap.highest, rewound=True), 0
        size = data.draw(st.integers(1, len(records) - at))
        chosen = select(records[at : at + size], sequence_of, claim, gap)
        applied += [sequence_of(one) for one in chosen.batch]
        claim, gap, at = chosen.checkpoint, chosen.gap, at + size
        if data.draw(st.booleans()) and data.draw(st.booleans()):
            gap, at = None, claim.next_offset
    assert applied == list(range(1, max(layout) + 1))
    assert claim.sequence == max(layout)


def test_what_was_passed_over_is_read_again_after_a_restart() -> None:
    chosen = select([record(0, 1), record(1, 3), record(2, None), record(3, 4)], sequence_of, START, None)
    assert [one.offset for one in chosen.batch] == [0, 2]
    assert chosen.gap == Gap(1, 4)
    assert chosen.checkpoint == Checkpoint(1, 1, 1)
    found = select([record(4, 2), record(5, 3), record(6, 4)], sequence_of, chosen.checkpoint, chosen.gap)
    assert (found.gap, found.checkpoint) == (None, Checkpoint(4, 7, 1))


def test_duplicates_are_counted_and_records_without_a_sequence_are_taken_once() -> None:
    chosen = select([record(5, 1), record(6, None), record(7, 2)], sequence_of, Checkpoint(2, 7, 1), None)
    assert (chosen.batch, chosen.duplicates, chosen.checkpoint.next_offset) == ([], 3, 8)
