"""Contacts with contracts, as the tests of the read-model API need them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from contracts.base import Event
from contracts.common import Json
from contracts.ids import Position, stream
from tests.services.portal.conftest import Elsewhere, reached
from tests.services.portal.events import contact_created, contract_created
from tests.services.portal.happenings import CHECK, PROOF, done, started, turn

Headers = dict[str, str]


@dataclass(frozen=True)
class Household:
    """A contact with one contract, and where the newest event about it stands."""

    elsewhere: Elsewhere
    contact_id: str
    contract_id: str
    position: Position

    async def happens(self, *streams: tuple[str, list[Event]]) -> list[Position]:
        """Says events of streams, and waits until they can be seen."""
        positions = [await self.elsewhere.say(name, *events) for name, events in streams]
        await reached(self.elsewhere.portal, *positions)
        return positions


async def move_in(elsewhere: Elsewhere, number: str = "V-1", installer: str | None = None, **more: Json) -> Household:
    """Attributes of the contact are those that begin with `contact_`, the others are the contract's."""
    contact_id, contract_id = uuid.uuid4().hex, uuid.uuid4().hex
    own = {name.removeprefix("contact_"): value for name, value in more.items() if name.startswith("contact_")}
    values = {name: value for name, value in more.items() if not name.startswith("contact_")}
    created = contact_created(contact_id)
    created = created.model_copy(update={"attributes": {**created.attributes, **own}})
    contact = await elsewhere.say(stream("contact", contact_id), created)
    event = contract_created(contract_id, number, contact_id, starts_on="2024-03-01", **values)
    if installer:
        event = event.model_copy(update={"relations": {**event.relations, "installer": (installer,)}})
    contract = await elsewhere.say(stream("contract", contract_id), event)
    await reached(elsewhere.portal, contact, contract)
    return Household(elsewhere, contact_id, contract_id, contract)


def ids(*names: str) -> list[str]:
    return [uuid.uuid4().hex for _ in names]


async def with_task(home: Household, **more: Any) -> str:
    """A process on the household's contract that waits for the contact; returns its id."""
    instance = uuid.uuid4().hex
    events: list[Event] = [
        started(instance, home.contract_id),
        *turn(instance, home.contract_id, CHECK, None),
        done(instance, home.contract_id, CHECK),
        *turn(instance, home.contract_id, PROOF, more.pop("contact_id", home.contact_id), **more),
    ]
    await home.happens((stream("process", instance), events))
    return instance


async def get(client: httpx.AsyncClient, path: str, headers: Headers, **parameters: Any) -> Any:
    response = await client.get(path, headers=headers, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


async def refused(client: httpx.AsyncClient, path: str, headers: Headers, **parameters: Any) -> tuple[int, str]:
    response = await client.get(path, headers=headers, params=parameters)
    return response.status_code, response.json()["code"]
