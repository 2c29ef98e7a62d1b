"""The smallest service: one command on the whole chassis, to see what the chassis costs beside FastAPI alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from bench.workload import CHANGES, change
from chassis.auth import Principal, allow
from chassis.http import CommandRequest, answer
from chassis.service import Service, serve
from chassis.settings import Settings
from chassis.texts import Texts

Customer = Annotated[Principal, Depends(allow("customer"))]


class Change(BaseModel):
    """The same body as that of the echo beside it."""

    amount_cents: int
    currency: str | None = None


def create(settings: Settings) -> Service:
    service = Service("billing", settings, Texts({}))
    api = APIRouter()

    @api.post("/contracts/{contract_id}/instalment-changes", status_code=202)
    async def changes(
        contract_id: str, body: Change, _: Customer, request: CommandRequest, response: Response
    ) -> Change:
        """Loads, decides, appends: authenticated, idempotent, durable when it answers."""
        event = change(contract_id).model_copy(update={"amount_cents": body.amount_cents})
        answer(response, await service.streams.execute(CHANGES, contract_id, event, request))
        return body

    service.http.include_router(api)
    return service


if __name__ == "__main__":
    SETTINGS = Settings()
    serve(create(SETTINGS), SETTINGS)
