"""A reveal happens once; there is nothing to know before it."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.base import Event


@dataclass(frozen=True, slots=True)
class Reveal:
    recorded: bool = False


def evolve(_: Reveal, __: Event) -> Reveal:
    return Reveal(recorded=True)
