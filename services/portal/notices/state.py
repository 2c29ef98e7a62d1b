"""What the rules of a notice need to know: who has read it."""

from __future__ import annotations

from contracts.base import Event
from contracts.portal import NoticeRead

Readers = frozenset[str]


def evolve(readers: Readers, event: Event) -> Readers:
    return readers | {event.reader} if isinstance(event, NoticeRead) else readers
