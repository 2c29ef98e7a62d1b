"""Which records of a partition come next: duplicates are left out, and a missing sequence is looked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chassis.bus import ForeignRecord
from chassis.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True)
class Gap:
    """Records were passed over, because one before them is missing: they are read again once it is found.

    It may stand behind them, when a lost topic is refilled while the relay goes on, so the partition is read to its
    end, then once more from its start; what is not there by then is reported as lost, and waited for.
    """

    offset: int
    """Of the first record that was passed over: a restart goes on there."""
    highest: int
    """The highest sequence that was passed over."""
    rewound: bool = False
    reported: bool = False

    def passing(self, sequence: int) -> Gap:
        return replace(self, highest=max(self.highest, sequence))


@dataclass(frozen=True, slots=True)
class Selection:
    """The records to apply in this order, the checkpoint after them, and what is still missing then."""

    batch: list[ForeignRecord]
    checkpoint: Checkpoint
    gap: Gap | None
    duplicates: int


def select(
    records: Sequence[ForeignRecord],
    sequence_of: Callable[[ForeignRecord], int | None],
    claim: Checkpoint,
    gap: Gap | None,
) -> Selection:
    """Chooses from records in the order of their partition. Those without a sequence are taken where they stand."""
    batch: list[ForeignRecord] = []
    sequence = claim.sequence
    duplicates = 0
    for record in records:
        found = sequence_of(record)
        if found is None and record.offset >= claim.next_offset:
            batch.append(record)
        elif found == sequence + 1:
            batch.append(record)
            sequence = found
        elif found is not None and found > sequence:
            gap = gap.passing(found) if gap else Gap(record.offset, found)
        else:
            duplicates += 1
    if gap and gap.highest <= sequence:
        gap = None
    elif gap and sequence > claim.sequence:
        gap = replace(gap, rewound=False, reported=False)
    next_offset = gap.offset if gap else records[-1].offset + 1
    return Selection(batch, claim.moved(sequence, next_offset), gap, duplicates)
