"""Issuing tokens, and the endpoint that gives developers one of any role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response
from joserfc.jwk import OKPKey
from pydantic import BaseModel, Field, StringConstraints

from chassis.auth import Forbidden, Principal, Role, issue
from services.identity.lifetimes import LONGEST_TOKEN

Name = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


class Token(BaseModel):
    """RFC 6749, 5.1."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 the name of the type
    expires_in: int = Field(description="Seconds")


class Tokens:
    """Signs tokens with the key of the hour."""

    def __init__(self, signer: Callable[[], Awaitable[OKPKey]], issuer: str) -> None:
        self._signer = signer
        self._issuer = issuer

    async def issue(self, principal: Principal, lifetime: timedelta) -> Token:
        token = issue(await self._signer(), principal.claims(), lifetime, issuer=self._issuer)
        return Token(access_token=token, expires_in=int(lifetime.total_seconds()))


class DevelopmentToken(BaseModel):
    """Whose token a developer wants."""

    role: Role
    subject: Name | None = Field(default=None, description="development/ROLE when left out")
    contact_id: Name | None = None
    portal_id: Name | None = None
    actor: Name | None = Field(default=None, description="The member of staff who acts as the subject")
    lifetime_seconds: int = Field(default=8 * 3600, ge=1, le=int(LONGEST_TOKEN.total_seconds()))


def development_router(tokens: Tokens, development: bool) -> APIRouter:
    api = APIRouter(prefix="/development", tags=["tokens"])

    @api.post("/token", summary="A token of any role; refused in production")
    async def development_token(wanted: DevelopmentToken, response: Response) -> Token:
        if not development:
            raise Forbidden("forbidden_outside_development")
        subject = wanted.subject or f"development/{wanted.role}"
        principal = Principal(wanted.role, subject, wanted.contact_id, wanted.portal_id, wanted.actor)
        response.headers["Cache-Control"] = "no-store"
        return await tokens.issue(principal, timedelta(seconds=wanted.lifetime_seconds))

    return api
