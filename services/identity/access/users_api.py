"""HTTP in: the table of portal users, and what staff do with them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from chassis.auth import Principal, allow
from chassis.errors import NotFound, Rejected
from chassis.http import CommandMetadata, answer
from chassis.texts import Texts, language_of
from contracts.common import Json, Language
from services.identity.access.contact_of_user import assigned_at, new_contact
from services.identity.access.desk import UserDesk
from services.identity.access.table import COLUMNS, UserEntry, UserTable, chosen, csv_of
from services.identity.addresses import checked
from services.identity.contacts.views import KnownRecord, find_contact
from services.identity.portals.views import Labels, find_portal
from services.identity.users.decider import (
    Assign,
    Block,
    Invite,
    RequestActivation,
    SetExpiry,
    Unassign,
    Unblock,
)
from services.identity.users.standing import Standing
from services.identity.users.views import Filters

UserId = Annotated[str, Path(min_length=1, max_length=40)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
Staff = Annotated[Principal, Depends(allow("staff", "operator"))]
Email = Annotated[str, StringConstraints(max_length=254, strip_whitespace=True)]
PAGE, MAXIMUM_PAGE = 100, 500


class UserPage(BaseModel):
    """Some users in a stable order, with the columns that were chosen."""

    items: list[UserEntry]
    next: str | None = Field(description="Where the next page begins: `after`; null at the end")


class Candidate(BaseModel):
    """A contact that has the user's address as its primary one."""

    contact_id: str
    number: str | None
    name: str | None


class UserDetails(UserEntry):
    """One user, how far he has come, and who he may be."""

    standing: Standing
    candidates: list[Candidate]


class Assignment(BaseModel):
    """Whom a user belongs to."""

    contact_id: Annotated[str, StringConstraints(min_length=1, max_length=40)]


class ContactOfUser(BaseModel):
    """A contact to be made of a user. What is left out is taken from the registration, or made up."""

    customer_number: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = (
        None
    )
    values: dict[str, Json] = Field(
        default={}, max_length=100, description="Attributes of the contact", examples=[{"last_name": "Neumann"}]
    )


class ContactMade(BaseModel):
    """The contact. `requested`: entities has not answered yet; the user's row will tell how it ended."""

    contact_id: str
    customer_number: str
    status: Literal["assigned", "requested"]


class WithReason(BaseModel):
    """Why. It stays in history: name no person in it."""

    reason: Reason


class Expiry(BaseModel):
    """When access ends; null: never."""

    expires_at: AwareDatetime | None


class Invitation(BaseModel):
    """A contact to be invited; the address is the contact's where none is given."""

    contact_id: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    email: Email | None = None
    language: Language | None = None


class Invited(BaseModel):
    """The user whom the invitation made, or had made already."""

    user_id: str


def table_router(table: UserTable, desk: UserDesk, texts: Texts, fresh: Callable[..., Any]) -> APIRouter:
    """Reading. `fresh` waits until the table shows what the caller has done."""
    api = APIRouter(prefix="/users", tags=["portal users"], dependencies=[Depends(fresh)])

    @api.get("", summary="Portal users; as CSV with Accept: text/csv", response_model=UserPage)
    async def list_users(
        request: Request,
        filters: Annotated[Filters, Depends()],
        _: Staff,
        columns: Annotated[str, Query(max_length=500, description=f"Some of {', '.join(COLUMNS)}")] = "",
        after: Annotated[str, Query(max_length=40)] = "",
        limit: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = PAGE,
    ) -> Response:
        wanted = chosen(columns)
        if request.headers.get("accept", "").split(";")[0].split(",")[0].strip() == "text/csv":
            language = language_of(request.headers.get("accept-language"))
            headers = {"Content-Disposition": 'attachment; filename="users.csv"', "Cache-Control": "no-store"}
            rows = csv_of(table.all(filters), wanted, texts, language)
            return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)
        entries = await table.page(filters, after, limit + 1)
        page = entries[:limit]
        items = [entry.model_dump(mode="json", include=set(wanted) | {"user_id"}) for entry in page]
        body = {"items": items, "next": page[-1].user_id if len(entries) > limit else None}
        return Response(
            orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "private, no-store"}
        )

    @api.get("/{user_id}", summary="One portal user, and which contacts he may be")
    async def details(user_id: UserId, _: Staff) -> UserDetails:
        entry = await table.get(user_id)
        place = await desk.place(user_id)
        return UserDetails(
            **entry.model_dump(),
            standing=place.standing,
            candidates=[
                Candidate(contact_id=contact.id, number=contact.external_id, name=contact.name)
                for contact in place.contacts
            ],
        )

    return api


def assignments_router(desk: UserDesk, labels: Labels) -> APIRouter:
    """Whom users belong to."""
    api = APIRouter(tags=["portal users"])

    @api.post("/users/{user_id}/assignment", status_code=204, summary="The user belongs to this contact")
    async def assign(
        user_id: UserId, assignment: Assignment, metadata: CommandMetadata, response: Response, _: Staff
    ) -> None:
        await _living_contact(desk, assignment.contact_id)
        answer(response, await desk.carry_out(Assign(user_id, assignment.contact_id), metadata))

    @api.delete("/users/{user_id}/assignment", status_code=204, summary="The user belongs to nobody any more")
    async def unassign(
        user_id: UserId,
        metadata: CommandMetadata,
        response: Response,
        _: Staff,
        reason: Annotated[str, Query(max_length=500)] = "",
    ) -> None:
        answer(response, await desk.carry_out(Unassign(user_id, reason), metadata))

    @api.post(
        "/users/{user_id}/contact",
        status_code=201,
        summary="Make a contact of the user and assign it",
        responses={202: {"model": ContactMade, "description": "Entities has not answered yet"}},
    )
    async def create_contact(
        user_id: UserId, wanted: ContactOfUser, metadata: CommandMetadata, response: Response, _: Staff
    ) -> ContactMade:
        """Waits until entities has made the record, and says why when it cannot; 202 when the answer takes longer."""
        command = await new_contact(desk, labels, user_id, wanted.customer_number, wanted.values)
        answer(response, await desk.carry_out(command, metadata))
        position = await assigned_at(desk, command)
        if position is None:
            response.status_code = 202
        else:
            response.headers["Portico-Position"] = str(position)
        return ContactMade(
            contact_id=command.contact_id,
            customer_number=command.customer_number,
            status="assigned" if position else "requested",
        )

    @api.post("/portals/{portal_id}/invitations", status_code=202, summary="Invite a contact into a portal")
    async def invite(
        portal_id: Annotated[str, Path(max_length=63)],
        invitation: Invitation,
        metadata: CommandMetadata,
        response: Response,
        _: Staff,
    ) -> Invited:
        await find_portal(desk.portals, portal_id)
        contact = await _living_contact(desk, invitation.contact_id)
        email = invitation.email or contact.values.get("email")
        if not isinstance(email, str):
            raise Rejected("invalid_email")
        user_id = await desk.find(portal_id, email) or str(uuid.uuid4())
        language = invitation.language or ("en" if contact.values.get("language") == "en" else "de")
        command = Invite(
            user_id, portal_id, checked(email), contact.name, language, invitation.contact_id, desk.streams.clock()
        )
        answer(response, await desk.carry_out(command, metadata))
        return Invited(user_id=user_id)

    return api


def access_router(desk: UserDesk) -> APIRouter:
    """Whether users may come in."""
    api = APIRouter(prefix="/users/{user_id}", tags=["portal users"])

    @api.post("/block", status_code=204, summary="No more sign-in; all sessions end at once")
    async def block(user_id: UserId, why: WithReason, metadata: CommandMetadata, response: Response, _: Staff) -> None:
        answer(response, await desk.carry_out(Block(user_id, why.reason), metadata))

    @api.post("/unblock", status_code=204, summary="The user may sign in again")
    async def unblock(user_id: UserId, metadata: CommandMetadata, response: Response, _: Staff) -> None:
        answer(response, await desk.carry_out(Unblock(user_id), metadata))

    @api.post("/expiry", status_code=204, summary="When the user's access ends")
    async def expiry(user_id: UserId, expiry: Expiry, metadata: CommandMetadata, response: Response, _: Staff) -> None:
        answer(response, await desk.carry_out(SetExpiry(user_id, expiry.expires_at), metadata))

    @api.post("/activation-mail", status_code=204, summary="The activation mail once more")
    async def activation_mail(user_id: UserId, metadata: CommandMetadata, response: Response, _: Staff) -> None:
        answer(response, await desk.carry_out(RequestActivation(user_id, desk.streams.clock()), metadata))

    @api.delete("", status_code=204, summary="Delete the user and destroy his key; his contact stays")
    async def delete(user_id: UserId, metadata: CommandMetadata, response: Response, _: Staff) -> None:
        answer(response, await desk.delete(user_id, metadata))

    return api


async def _living_contact(desk: UserDesk, contact_id: str) -> KnownRecord:
    contact = await find_contact(desk.records, contact_id)
    if contact is None or contact.erased:
        raise NotFound("contact_not_found")
    return contact
