"""HTTP in: the JWKS for everybody, rotation for operators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.http import CommandMetadata, answer
from contracts.identity import SigningKeyAdded, SigningKeyRetired
from services.identity.signing_keys.vault import SigningVault

JWKS_SECONDS = 60


class Rotation(BaseModel):
    """How to rotate."""

    urgent: bool = Field(
        default=False, description="A private key leaked: every token signed so far ends within minutes"
    )


class Rotated(BaseModel):
    """What the rotation did."""

    key_id: str
    signs_from: datetime
    retired: list[str] = Field(description="Keys that left the JWKS at once")


def router(vault: SigningVault) -> APIRouter:
    api = APIRouter(tags=["signing keys"])

    @api.get("/.well-known/jwks.json", summary="The public keys of tokens (RFC 7517)", response_class=Response)
    async def jwks() -> Response:
        headers = {"Cache-Control": f"public, max-age={JWKS_SECONDS}"}
        return Response(orjson.dumps(await vault.jwks()), media_type="application/jwk-set+json", headers=headers)

    @api.post("/signing-keys/rotate", summary="Add a key that will sign from a little later on")
    async def rotate(
        rotation: Rotation,
        metadata: CommandMetadata,
        response: Response,
        _: Annotated[Principal, Depends(allow("operator"))],
    ) -> Rotated:
        outcome = await vault.rotate(rotation.urgent, metadata)
        answer(response, outcome)
        (added,) = (event for event in outcome.events if isinstance(event, SigningKeyAdded))
        retired = [event.key_id for event in outcome.events if isinstance(event, SigningKeyRetired)]
        return Rotated(key_id=added.key_id, signs_from=added.signs_from, retired=retired)

    return api
