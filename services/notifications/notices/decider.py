"""A notice is posted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.decider import Decider
from contracts.base import Event
from contracts.notifications import NoticePosted


@dataclass(frozen=True, slots=True)
class Post:
    notice: NoticePosted


def decide(command: Post, posted: bool) -> Sequence[Event]:
    return [] if posted else [command.notice]


def evolve(posted: bool, event: Event) -> bool:
    return posted or isinstance(event, NoticePosted)


NOTICE: Decider[Post, bool] = Decider("notice", False, decide, evolve)
