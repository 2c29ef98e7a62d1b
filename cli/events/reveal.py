"""Opens sealed values through identity, which checks the role and records who looked and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
from pydantic import ValidationError

from cli.events.place import identity_url, operator_token
from cli.events.seen import Seen
from cli.problem import Problem
from contracts.base import Sealed

BOXES_AT_ONCE = 500
TIMEOUT_SECONDS = 15.0
Opened = dict[Sealed, Any]


class Revealer:
    """Opens the boxes in events, for one reason."""

    def __init__(self, reason: str, url: str, token: str) -> None:
        self._reason = reason
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS
        )

    @classmethod
    def for_reason(cls, reason: str) -> Revealer:
        return cls(reason, identity_url(), operator_token())

    async def reveal(self, events: Sequence[Seen]) -> list[Seen]:
        """The events with their boxes opened; those of erased persons as `{"erased": person}`."""
        boxes = list(dict.fromkeys(box for seen in events for box in boxes_in(seen.data) if box.box))
        opened: Opened = {}
        for start in range(0, len(boxes), BOXES_AT_ONCE):
            part = boxes[start : start + BOXES_AT_ONCE]
            opened |= dict(zip(part, await self._open(part), strict=True))
        return [replace(seen, data=_filled(seen.data, opened)) if seen.data else seen for seen in events]

    async def close(self) -> None:
        await self._client.aclose()

    async def _open(self, boxes: Sequence[Sealed]) -> list[Any]:
        wanted = {"boxes": [box.model_dump() for box in boxes], "reason": self._reason}
        try:
            answer = await self._client.post("/reveal", json=wanted)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Problem(
                f"Identity at {self._client.base_url} does not answer: {str(error) or type(error).__name__}.",
                "Without it nothing can be revealed; `portico status` says how it is.",
            ) from error
        values = body.get("values") if isinstance(body, dict) and answer.is_success else None
        if not isinstance(values, list) or len(values) != len(boxes):
            detail = body.get("detail", "") if isinstance(body, dict) else ""
            raise Problem(f"Identity reveals nothing ({answer.status_code}): {detail}")
        return values


def as_box(value: object) -> Sealed | None:
    """The sealed value that a JSON value is, if it is one."""
    if not isinstance(value, dict) or set(value) != {"sealed", "box"}:
        return None
    try:
        return Sealed.model_validate(value, strict=True)
    except ValidationError:
        return None


def boxes_in(value: object) -> Iterator[Sealed]:
    """Every sealed value inside a JSON value."""
    box = as_box(value)
    if box:
        yield box
    elif isinstance(value, dict):
        for inner in value.values():
            yield from boxes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from boxes_in(inner)


def _filled(value: Any, opened: Opened) -> Any:
    box = as_box(value)
    if box:
        plain = opened.get(box)
        return {"erased": box.sealed} if plain is None else plain
    if isinstance(value, dict):
        return {name: _filled(inner, opened) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, opened) for inner in value]
    return value
