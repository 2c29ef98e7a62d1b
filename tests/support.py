"""Rules are tested as they are told: given these events, when this command comes, then these events follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.decider import Decider
from chassis.errors import Rejected
from contracts.base import Event


@dataclass(frozen=True)
class When:
    """A command about to be decided; ends in `then` or `rejects`."""

    decider: Decider[Any, Any]
    state: Any
    command: Any

    def then(self, *events: Event) -> None:
        """Exactly these events follow, in this order, and the state takes them."""
        decided = list(self.decider.decide(self.command, self.state))
        assert decided == list(events)
        self.decider.fold(self.state, decided)

    def rejects(self, code: str, **facts: object) -> Rejected:
        """The command is refused with this code and, where given, these facts; returns the refusal."""
        with pytest.raises(Rejected) as caught:
            self.decider.decide(self.command, self.state)
        assert caught.value.code == code
        assert {name: caught.value.facts.get(name) for name in facts} == facts
        return caught.value


@dataclass(frozen=True)
class Given:
    """A stream with a history."""

    decider: Decider[Any, Any]
    events: Sequence[Event]

    @property
    def state(self) -> Any:
        return self.decider.fold(self.decider.initial, self.events)

    def when(self, command: Any) -> When:
        return When(self.decider, self.state, command)


def given(decider: Decider[Any, Any], *events: Event) -> Given:
    """`given(DECIDER, *events).when(command).then(*events)` or `.rejects("code", **facts)`."""
    return Given(decider, events)
