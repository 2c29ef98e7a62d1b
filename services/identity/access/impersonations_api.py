"""HTTP in: staff act as a portal user, for a few minutes and for a reason, and he can see that they did."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.auth import Principal, allow
from chassis.errors import NotFound
from chassis.http import CommandMetadata, answer
from services.identity.access.accounts import user_principal
from services.identity.access.desk import UserDesk
from services.identity.lifetimes import USER_TOKEN_LIFETIME
from services.identity.portals.views import find_portal
from services.identity.staff.views import StaffList
from services.identity.subjects import STAFF, id_of, user_subject
from services.identity.tokens import Tokens
from services.identity.users.decider import EndImpersonation, Impersonate
from services.identity.users.impersonations import ActedAs, Impersonations

UserId = Annotated[str, Path(min_length=1, max_length=40)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
Staff = Annotated[Principal, Depends(allow("staff", "operator"))]
User = Annotated[Principal, Depends(allow("customer", "installer"))]
Ending = Annotated[Principal, Depends(allow("staff", "operator", "customer", "installer"))]
USERS = ("customer", "installer")


class Why(BaseModel):
    """The user can see it: name no person in it."""

    reason: Reason


class Impersonation(BaseModel):
    """A token with which staff act as the user; every event names them."""

    impersonation_id: str
    access_token: str
    expires_in: int = Field(description="Seconds")


class Once(BaseModel):
    """Once that somebody acted as the user."""

    impersonation_id: str
    staff_name: str | None = Field(description="Null where the member of staff is not known any more")
    reason: str
    started_at: datetime
    ended_at: datetime = Field(description="When it was ended, else when its token expires")


class History(BaseModel):
    """The newest first, at most 100."""

    items: list[Once]


def router(
    desk: UserDesk, tokens: Tokens, impersonations: Impersonations, staff: StaffList, fresh: Callable[..., Any]
) -> APIRouter:
    """`fresh` waits until the history shows what the caller has done."""
    api = APIRouter(prefix="/users", tags=["portal users"])

    @api.get("/me/impersonations", summary="When staff acted as the caller", dependencies=[Depends(fresh)])
    async def mine(principal: User, response: Response) -> History:
        response.headers["Cache-Control"] = "private, no-store"
        found = await impersonations.get(id_of(principal.subject))
        items = found.items if found else ()
        names = await _names(staff, items)
        return History(items=[_once(each, names) for each in items])

    @api.post("/{user_id}/impersonations", status_code=201, summary="Act as the user, for five minutes")
    async def impersonate(
        user_id: UserId, why: Why, metadata: CommandMetadata, response: Response, principal: Staff
    ) -> Impersonation:
        impersonation_id = uuid.uuid4().hex
        answer(response, await desk.carry_out(Impersonate(user_id, impersonation_id, why.reason), metadata))
        user = await desk.load(user_id)
        portal = await find_portal(desk.portals, user.portal_id)
        token = await tokens.issue(user_principal(user_id, user, portal, principal.subject), USER_TOKEN_LIFETIME)
        response.headers["Cache-Control"] = "no-store"
        return Impersonation(
            impersonation_id=impersonation_id, access_token=token.access_token, expires_in=token.expires_in
        )

    @api.post("/{user_id}/impersonations/{impersonation_id}/end", status_code=204, summary="Act as oneself again")
    async def end_impersonation(
        user_id: UserId,
        impersonation_id: Annotated[str, Path(max_length=40)],
        metadata: CommandMetadata,
        response: Response,
        principal: Ending,
    ) -> None:
        """For staff, also with the token with which they act as the user."""
        if principal.role in USERS and not (principal.actor and principal.subject == user_subject(user_id)):
            raise NotFound("user_not_found")
        answer(response, await desk.carry_out(EndImpersonation(user_id, impersonation_id), metadata))

    return api


async def _names(staff: StaffList, items: tuple[ActedAs, ...]) -> dict[str, str | None]:
    ids = {id_of(each.actor) for each in items if each.actor and each.actor.startswith(STAFF)}
    return {id_: member.name for id_, member in (await staff.get_many(sorted(ids))).items()}


def _once(each: ActedAs, names: dict[str, str | None]) -> Once:
    return Once(
        impersonation_id=each.impersonation_id,
        staff_name=names.get(id_of(each.actor or "")),
        reason=each.reason,
        started_at=each.started_at,
        ended_at=each.ended_at or each.started_at + USER_TOKEN_LIFETIME,
    )
