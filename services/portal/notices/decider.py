"""A notice is read by each reader once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.decider import Decider
from contracts.base import Event
from contracts.portal import NoticeRead
from services.portal.notices.state import Readers, evolve


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody has read it."""

    notice_id: str
    reader: str


def decide(command: Read, readers: Readers) -> Sequence[Event]:
    if command.reader in readers:
        return []
    return [NoticeRead(notice_id=command.notice_id, reader=command.reader)]


NOTICE: Decider[Read, Readers] = Decider("notice", frozenset(), decide, evolve)
