"""HTTP in: operators erase a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.auth import Principal, allow
from chassis.http import CommandRequest, answer
from chassis.keyring import Keyring
from chassis.streams import Streams
from services.identity.persons.decider import PERSONS, ErasePerson


class Erasure(BaseModel):
    """Why a person is erased. The reason stays in history for ever: name no person in it."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


class Erased(BaseModel):
    """The person is erased, and was already when `repeated`."""

    person: str
    repeated: bool = Field(description="Nothing was left to do")


def router(streams: Streams, keyring: Keyring) -> APIRouter:
    api = APIRouter(tags=["persons"])

    @api.post("/persons/{person:path}/erase", summary="Destroy a person's key: nobody can read his data again")
    async def erase(
        person: Annotated[str, Path(max_length=150, examples=["contact/4f1c0e1a-8d0d-5a53-9d5c-0a64a1c37d11"])],
        erasure: Erasure,
        request: CommandRequest,
        response: Response,
        _: Annotated[Principal, Depends(allow("operator"))],
    ) -> Erased:
        outcome = await streams.execute(PERSONS, person, ErasePerson(person, erasure.reason), request)
        destroyed = await keyring.erase(person)
        answer(response, outcome)
        return Erased(person=person, repeated=not (outcome.events or destroyed))

    return api
