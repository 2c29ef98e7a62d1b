"""HTTP in: members of staff for operators, and their sign-in for a gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.auth import Principal, allow
from chassis.http import CommandMetadata, answer
from contracts.common import Language
from services.identity.access.staff_desk import NewMember, StaffDesk
from services.identity.staff.decider import BlockStaff, ChangeStaff, UnblockStaff
from services.identity.staff.views import StaffDoc, StaffList

StaffId = Annotated[str, Path(min_length=1, max_length=40)]
Email = Annotated[str, StringConstraints(max_length=254, strip_whitespace=True)]
Password = Annotated[str, StringConstraints(max_length=1_000)]
Operator = Annotated[Principal, Depends(allow("operator"))]
Names = Annotated[tuple[str, ...], Field(max_length=100)]
NOT_STORED = {"Cache-Control": "no-store"}
MAXIMUM_LISTED = 1_000


class StaffRegistration(BaseModel):
    """Who shall be able to sign in."""

    email: Email
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    groups: Names = Field(default=(), description="To which tasks are assigned", examples=[["customer_service"]])
    roles: Names = Field(default=("staff",), description="staff, operator")
    language: Language = "de"
    password: Password | None = Field(default=None, description="Left out: `token` of the answer sets it")


class Registered(BaseModel):
    """`token` sets the password by `POST /passwords`; it is shown this once, and null where a password was given."""

    staff_id: str
    token: str | None
    token_expires_at: datetime | None


class StaffChange(BaseModel):
    """Groups and roles from now on."""

    groups: Names
    roles: Names


class StaffSignIn(BaseModel):
    """Address and password."""

    email: Email
    password: Password


class StaffSession(BaseModel):
    """A session; `POST /sessions/token` makes tokens of it."""

    staff_id: str
    session: str
    session_expires_at: datetime = Field(description="When it ends if it is not used; use moves it on")
    groups: list[str]
    roles: list[str]
    language: Language


class PasswordLink(BaseModel):
    """A token for `POST /passwords`, shown this once."""

    token: str
    expires_at: datetime


class StaffPage(BaseModel):
    """Members of staff."""

    items: list[StaffDoc]


def router(desk: StaffDesk, members: StaffList, fresh: Callable[..., Any]) -> APIRouter:
    """`fresh` waits until the list shows what the caller has done."""
    api = APIRouter(prefix="/staff", tags=["staff"])

    @api.get("", summary="Members of staff", dependencies=[Depends(fresh)])
    async def list_staff(
        _: Annotated[Principal, Depends(allow("staff", "operator"))],
        group: Annotated[str | None, Query(max_length=40)] = None,
    ) -> StaffPage:
        where, parameters = "(doc->>'registered')::boolean", list[object]()
        if group is not None:
            where, parameters = where + " AND doc->'groups' ? %s", [group]
        return StaffPage(items=await members.find(where, parameters, limit=MAXIMUM_LISTED))

    @api.post("", status_code=201, summary="Register a member of staff")
    async def register(
        given: StaffRegistration, metadata: CommandMetadata, response: Response, _: Operator
    ) -> Registered:
        member = NewMember(given.email, given.name, given.groups, given.roles, given.language)
        staff_id, outcome = await desk.register(member, given.password, metadata)
        answer(response, outcome)
        response.headers.update(NOT_STORED)
        token, expires_at = await desk.password_link(staff_id) if given.password is None else (None, None)
        return Registered(staff_id=staff_id, token=token, token_expires_at=expires_at)

    @api.put("/{staff_id}", status_code=204, summary="Other groups and roles")
    async def change(
        staff_id: StaffId, given: StaffChange, metadata: CommandMetadata, response: Response, _: Operator
    ) -> None:
        answer(response, await desk.change(ChangeStaff(staff_id, given.groups, given.roles), metadata))

    @api.post("/{staff_id}/password-links", status_code=201, summary="A token that sets a new password")
    async def password_link(staff_id: StaffId, response: Response, _: Operator) -> PasswordLink:
        token, expires_at = await desk.password_link(staff_id)
        response.headers.update(NOT_STORED)
        return PasswordLink(token=token, expires_at=expires_at)

    @api.post("/{staff_id}/block", status_code=204, summary="No more sign-in; all sessions end at once")
    async def block(staff_id: StaffId, metadata: CommandMetadata, response: Response, _: Operator) -> None:
        answer(response, await desk.change(BlockStaff(staff_id), metadata))

    @api.post("/{staff_id}/unblock", status_code=204, summary="May sign in again")
    async def unblock(staff_id: StaffId, metadata: CommandMetadata, response: Response, _: Operator) -> None:
        answer(response, await desk.change(UnblockStaff(staff_id), metadata))

    @api.post("/sessions", summary="Sign in as a member of staff")
    async def sign_in(
        given: StaffSignIn, response: Response, _: Annotated[Principal, Depends(allow("gateway"))]
    ) -> StaffSession:
        staff_id, secret, session, member = await desk.sign_in(given.email, given.password)
        response.headers.update(NOT_STORED)
        return StaffSession(
            staff_id=staff_id,
            session=secret,
            session_expires_at=session.expires_at,
            groups=list(member.groups),
            roles=list(member.roles),
            language=member.language,
        )

    return api
