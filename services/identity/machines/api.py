"""HTTP in: machines for operators, and tokens for machines (OAuth 2.0 client credentials, RFC 6749)."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal
from urllib.parse import unquote_plus

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.http import CommandMetadata, answer
from contracts.identity import MachineRole
from services.identity.lifetimes import TOKEN_LIFETIME
from services.identity.machines.vault import Credentials, MachineVault
from services.identity.tokens import Token, Tokens

MachineId = Annotated[str, Path(max_length=40)]
Operator = Annotated[Principal, Depends(allow("operator"))]
GRANT_TYPE = "client_credentials"


class NewMachine(BaseModel):
    """A machine to register."""

    name: str = Field(description="Small letters, digits, dots and dashes", examples=["erp-production"])
    role: MachineRole


class MachineSecret(BaseModel):
    """Shown this once: Idempotency-Key cannot repeat it; whoever lost it changes the secret."""

    client_id: str
    client_secret: str


class ListedMachine(BaseModel):
    """A machine that gets tokens."""

    machine_id: str
    name: str
    role: MachineRole


class OAuthError(BaseModel):
    """RFC 6749, 5.2."""

    error: Literal["invalid_request", "invalid_client", "unsupported_grant_type"]
    error_description: str


def machines_router(vault: MachineVault) -> APIRouter:
    api = APIRouter(prefix="/machines", tags=["machines"])

    @api.get("", summary="The machines that get tokens")
    async def list_machines(_: Operator) -> list[ListedMachine]:
        return [ListedMachine(**machine) for machine in await vault.all()]

    @api.post("", status_code=201, summary="Register a machine; its secret is shown once")
    async def register(
        machine: NewMachine, metadata: CommandMetadata, response: Response, _: Operator
    ) -> MachineSecret:
        return _shown(response, await vault.register(machine.name, machine.role, metadata))

    @api.post("/{machine_id}/secret", summary="Change the secret; the old one ends at once")
    async def change_secret(
        machine_id: MachineId, metadata: CommandMetadata, response: Response, _: Operator
    ) -> MachineSecret:
        return _shown(response, await vault.change_secret(machine_id, metadata))

    @api.post("/{machine_id}/revoke", status_code=204, summary="No more tokens for this machine")
    async def revoke(machine_id: MachineId, metadata: CommandMetadata, response: Response, _: Operator) -> None:
        answer(response, await vault.revoke(machine_id, metadata))

    return api


def token_router(vault: MachineVault, tokens: Tokens) -> APIRouter:
    api = APIRouter(tags=["tokens"])

    @api.post(
        "/token",
        summary="A token for a machine (OAuth 2.0 client credentials)",
        response_model=Token,
        responses={400: {"model": OAuthError}, 401: {"model": OAuthError}},
    )
    async def token(
        request: Request,
        grant_type: Annotated[str, Form(examples=[GRANT_TYPE])] = "",
        client_id: Annotated[str, Form()] = "",
        client_secret: Annotated[str, Form()] = "",
    ) -> Response:
        basic = request.headers.get("authorization")
        if basic is not None:
            client_id, client_secret = _basic(basic)
        if grant_type != GRANT_TYPE:
            error = "unsupported_grant_type" if grant_type else "invalid_request"
            return _refused(400, error, f"grant_type must be {GRANT_TYPE}")
        principal = await vault.authenticate(client_id, client_secret) if client_id and client_secret else None
        if principal is None:
            return _refused(401, "invalid_client", "unknown client or wrong secret", basic is not None)
        issued = await tokens.issue(principal, TOKEN_LIFETIME)
        return Response(issued.model_dump_json(), media_type="application/json", headers=NOT_STORED)

    return api


NOT_STORED = {"Cache-Control": "no-store"}


def _refused(status: int, error: str, description: str, by_header: bool = False) -> Response:
    challenge = {"WWW-Authenticate": 'Basic realm="portico"'} if by_header else {}
    body = OAuthError(error=error, error_description=description)
    return Response(body.model_dump_json(), status, media_type="application/json", headers={**NOT_STORED, **challenge})


def _basic(header: str) -> tuple[str, str]:
    """Client id and secret of HTTP Basic, both form-encoded (RFC 6749, 2.3.1); empty when there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _shown(response: Response, credentials: Credentials) -> MachineSecret:
    answer(response, credentials.outcome)
    response.headers.update(NOT_STORED)
    return MachineSecret(client_id=credentials.machine_id, client_secret=credentials.secret)
