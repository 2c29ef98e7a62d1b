"""HTTP in, for our own services: a mail gets its link when it is sent, because a secret is never in an event."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.errors import Rejected
from chassis.service_calls import ServiceCalls, called_by_service
from services.identity.access.desk import UserDesk
from services.identity.access.links import Links
from services.identity.portals.views import find_portal
from services.identity.subjects import user_subject
from services.identity.users.state import User

OneTime = Literal["activation", "reset", "invitation"]
Deep = Literal["portal", "task", "contract", "process", "document", "submission", "billing_event"]
FOLDERS: dict[OneTime | Deep, str] = {
    "activation": "activate",
    "reset": "reset",
    "invitation": "invitations",
    "task": "tasks",
    "contract": "contracts",
    "process": "processes",
    "document": "documents",
    "submission": "submissions",
    "billing_event": "billing-events",
}
Part = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Target = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?$")
]


class TaskTarget(BaseModel):
    """A task by its step."""

    instance_id: Part
    step_id: Part


class WantedLink(BaseModel):
    """What a link in a mail is to lead to."""

    kind: OneTime | Deep
    portal_id: Annotated[str, StringConstraints(max_length=63)]
    user_id: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="Needed for activation, reset and invitation"
    )
    contact_id: Annotated[str, StringConstraints(max_length=40)] | None = None
    target: Target | TaskTarget | None = Field(
        default=None, description="What a deep link leads to: an id, or `<instance>/<step>` of a task"
    )


class Made(BaseModel):
    """The link. One that carries no secret does not expire."""

    url: str
    expires_at: datetime | None


def router(desk: UserDesk, links: Links, calls: ServiceCalls) -> APIRouter:
    api = APIRouter(tags=["links"])

    notifications = Depends(called_by_service(calls, "notifications"))

    @api.post("/links", summary="A link for a mail; refused when nobody needs it", dependencies=[notifications])
    async def make(wanted: WantedLink, response: Response) -> Made:
        response.headers["Cache-Control"] = "no-store"
        portal = await find_portal(desk.portals, wanted.portal_id)
        kind = wanted.kind
        if kind not in ("activation", "reset", "invitation"):
            return Made(url=portal.url + _path(wanted), expires_at=None)
        user = await desk.load(wanted.user_id or "")
        if user.portal_id != portal.id or not _needed(kind, user):
            raise Rejected("link_not_needed", kind=kind)
        subject = user_subject(wanted.user_id or "")
        token, expires_at = await links.make(kind, subject, portal.id, desk.streams.clock())
        return Made(url=f"{portal.url}/{FOLDERS[kind]}/{token}", expires_at=expires_at)

    return api


def _needed(kind: str, user: User) -> bool:
    """A reset is for those who have confirmed their address, everything else for those who have not."""
    return user.active == (kind == "reset") and not user.blocked and user.email is not None


def _path(wanted: WantedLink) -> str:
    if wanted.kind == "portal":
        return ""
    target = wanted.target
    if target is None:
        raise Rejected("invalid_link_target", kind=wanted.kind)
    path = f"{target.instance_id}/{target.step_id}" if isinstance(target, TaskTarget) else target
    return f"/{FOLDERS[wanted.kind]}/{quote(path, safe='/')}"
