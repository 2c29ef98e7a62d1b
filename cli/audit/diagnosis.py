"""What became of a history, told from what a witness has: where it first differs, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cli.audit.history import Stored

What = Literal[
    "changed",
    "deleted",
    "inserted",
    "reordered",
    "cut off",
    "stream broken",
    "seal changed",
    "seal missing",
    "seal not published",
    "anchor differs",
    "signature wrong",
    "signature missing",
]
NAMES = ("stream", "version", "type", "time", "metadata", "data")


@dataclass(frozen=True, slots=True)
class Finding:
    """The first sequence of a shard that does not fit; with `until` it is somewhere from there to there."""

    sequence: int
    what: What
    explanation: str
    until: int | None = None


def compare(log: Mapping[int, Stored], witness: Mapping[int, Stored], first: int, last: int) -> Finding | None:
    """Where a log first differs from what a witness saw between two sequences; both may hold a little more."""
    for sequence in range(first, last + 1):
        ours, theirs = log.get(sequence), witness.get(sequence)
        if theirs is None or ours == theirs:
            continue
        return _missing(log, sequence, theirs) if ours is None else _different(log, witness, ours, theirs)
    return None


def _missing(log: Mapping[int, Stored], sequence: int, theirs: Stored) -> Finding:
    if not any(other > sequence for other in log):
        return Finding(sequence, "cut off", f"{theirs.type} of {theirs.stream} and what came after it are gone")
    place = _place(log, theirs)
    if place is None:
        return Finding(sequence, "deleted", f"{theirs.type} of {theirs.stream} is gone")
    return Finding(sequence, "reordered", f"its event stands at {place} now")


def _different(
    log: Mapping[int, Stored], witness: Mapping[int, Stored], ours: Stored, theirs: Stored
) -> Finding | None:
    sequence = ours.sequence
    now, before = _place(log, theirs), _place(witness, ours)
    if now is not None and before is None and _content(log, sequence + 1) != _content(witness, sequence + 1):
        return Finding(sequence, "inserted", f"{ours.type} of {ours.stream} was never published")
    if now is not None:
        was = f", what stands there now was at {before}" if before else ""
        return Finding(sequence, "reordered", f"its event stands at {now} now{was}")
    if before is not None:
        return Finding(sequence, "deleted", f"{theirs.type} of {theirs.stream} is gone, later events have moved up")
    fields = [name for name, one, other in zip(NAMES, ours.content, theirs.content, strict=True) if one != other]
    return Finding(sequence, "changed", f"{', '.join(fields)} of {theirs.type} of {theirs.stream}")


def _place(events: Mapping[int, Stored], wanted: Stored) -> int | None:
    """Where the same event stands elsewhere."""
    return next((place for place, event in events.items() if event.content == wanted.content), None)


def _content(events: Mapping[int, Stored], sequence: int) -> object:
    event = events.get(sequence)
    return event and event.content
