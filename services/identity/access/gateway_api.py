"""HTTP in: what a portal gateway asks for its visitors, who are not known yet. No answer tells who has an account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.auth import Principal, allow
from chassis.errors import Rejected
from chassis.http import CommandMetadata, answer
from chassis.texts import language_of
from contracts.common import Language
from services.identity.access.accounts import Accounts, Done, user_principal
from services.identity.access.desk import Place
from services.identity.access.links import Kind, Links, State
from services.identity.access.passwords import Passwords
from services.identity.access.sessions import Session, Sessions
from services.identity.access.staff_desk import StaffDesk
from services.identity.access.wishes import Details, Wish, Wishes, WishKind
from services.identity.addresses import checked
from services.identity.lifetimes import USER_TOKEN_LIFETIME
from services.identity.portals.views import Labels, Portals, find_portal, label_of
from services.identity.subjects import STAFF, id_of
from services.identity.tokens import Token, Tokens
from services.identity.users.standing import Standing

PortalId = Annotated[str, Path(max_length=63, examples=["customers"])]
LinkToken = Annotated[str, Path(min_length=1, max_length=100)]
Email = Annotated[str, StringConstraints(max_length=254, strip_whitespace=True)]
Password = Annotated[str, StringConstraints(max_length=1_000)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Gateway = Annotated[Principal, Depends(allow("gateway"))]
NOT_STORED = {"Cache-Control": "no-store"}


class Registration(BaseModel):
    """Somebody wants to use a portal."""

    email: Email
    password: Password = Field(description="At least 15 characters; counts once the mail's link is confirmed")
    name: Name | None = None
    language: Language = "de"
    already_customer: bool = Field(description="What he answered to 'Are you a customer already?'")


class Address(BaseModel):
    """Of whoever wants a mail."""

    email: Email


class Accepted(BaseModel):
    """The same whatever is known of the address."""

    status: Literal["check_mailbox"] = "check_mailbox"


class LinkShown(BaseModel):
    """What the page behind a link shows; nothing is used up."""

    kind: Kind
    state: State
    portal_id: str | None
    expires_at: datetime
    needs_password: bool = Field(description="Whether a password must come with the confirmation")


class Confirmation(BaseModel):
    """The button was pressed."""

    token: Secret
    password: Password | None = Field(default=None, description="Needed for an invitation")


class Ask(BaseModel):
    """An attribute to ask for."""

    path: str = Field(examples=["contact.customer_number"])
    label: str = Field(description="In the language of Accept-Language")


class Stands(BaseModel):
    """How far somebody has come. Only `ready` gets access tokens."""

    status: Standing
    user_id: str
    portal_id: str
    language: Language
    ask: list[Ask] = Field(default=[], description="With `identify`: what POST /identifications needs")
    tries_left: int | None = Field(default=None, description="With `identify`")


class SignIn(BaseModel):
    """Address and password."""

    email: Email
    password: Password


class SignedIn(Stands):
    """`session` belongs in a cookie; null for those who may not come in (`blocked`, `expired`)."""

    session: str | None
    session_expires_at: datetime | None = Field(description="When it ends if it is not used; use moves it on")


class SessionSecret(BaseModel):
    """A session."""

    session: Secret


class SessionOwner(BaseModel):
    """Whose session it is."""

    status: Standing
    name: str | None = Field(description="Null where he gave none")
    language: Language
    groups: list[str] = Field(default=[], description="Of a member of staff")
    ask: list[Ask] = []
    tries_left: int | None = None


class SessionToken(SessionOwner):
    """A token for the other services, of a portal user who is `ready` or of a member of staff; else null."""

    access_token: str | None
    token_type: str = "Bearer"  # noqa: S105 the name of the type
    expires_in: int | None = Field(description="Seconds")
    session_expires_at: datetime
    subject: str = Field(examples=["user/4f1c0e1a-8d0d-5a53-9d5c-0a64a1c37d11"])
    role: str = Field(description="customer, installer, staff or operator")
    portal_id: str | None
    contact_id: str | None


class Identification(BaseModel):
    """Answers by the path that was asked for."""

    session: Secret
    answers: dict[str, Annotated[str, StringConstraints(max_length=200)]] = Field(
        max_length=20, examples=[{"contact.customer_number": "K-1002"}]
    )


class NewPassword(BaseModel):
    """With the token of a mail, or with a session and the password until now."""

    password: Password
    token: Secret | None = None
    session: Secret | None = None
    current_password: Password | None = None


def wishes_router(wishes: Wishes, passwords: Passwords, portals: Portals) -> APIRouter:
    """Registration, and mails once more."""
    api = APIRouter(prefix="/portals/{portal_id}", tags=["portal users"])

    async def accept(
        kind: WishKind, portal_id: str, email: str, metadata: CommandMetadata, details: Details
    ) -> Accepted:
        own = details.model_copy(update={"correlation_id": metadata.correlation_id})
        await wishes.add(Wish(kind, portal_id, checked(email), own))
        return Accepted()

    @api.post("/registrations", status_code=202, summary="Register; the answer is always the same")
    async def register(
        portal_id: PortalId, registration: Registration, metadata: CommandMetadata, _: Gateway
    ) -> Accepted:
        portal = await find_portal(portals, portal_id)
        if not portal.registration.open:
            raise Rejected("registration_closed")
        email = checked(registration.email)
        details = Details(
            phc=await passwords.hash(registration.password, email, portal.name.de, portal.name.en),
            name=registration.name,
            language=registration.language,
            already_customer=registration.already_customer,
        )
        return await accept("registration", portal_id, email, metadata, details)

    @api.post("/activation-mails", status_code=202, summary="The activation link once more; always the same answer")
    async def activation_mail(portal_id: PortalId, address: Address, metadata: CommandMetadata, _: Gateway) -> Accepted:
        await find_portal(portals, portal_id)
        return await accept("activation", portal_id, address.email, metadata, Details())

    @api.post("/password-resets", status_code=202, summary="A link to a new password; always the same answer")
    async def password_reset(portal_id: PortalId, address: Address, metadata: CommandMetadata, _: Gateway) -> Accepted:
        await find_portal(portals, portal_id)
        return await accept("reset", portal_id, address.email, metadata, Details())

    return api


def accounts_router(accounts: Accounts, staff: StaffDesk, links: Links, labels: Labels) -> APIRouter:
    """Confirming, signing in, identifying, changing passwords."""
    api = APIRouter(tags=["portal users"])

    async def shown(token: str, response: Response) -> LinkShown:
        link = await links.find(token)
        response.headers.update(NOT_STORED)
        return LinkShown(
            kind=link.kind,
            state=link.state(staff.clock()),
            portal_id=link.portal_id,
            expires_at=link.expires_at,
            needs_password=link.phc is None,
        )

    @api.get("/activations/{token}", summary="What the page behind an activation or invitation link shows")
    async def activation(token: LinkToken, response: Response, _: Gateway) -> LinkShown:
        return await shown(token, response)

    @api.get("/passwords/{token}", summary="What the page behind a password link shows")
    async def password_link(token: LinkToken, response: Response, _: Gateway) -> LinkShown:
        return await shown(token, response)

    @api.post("/activations", summary="Confirm an address; works once")
    async def activate(
        confirmation: Confirmation, metadata: CommandMetadata, request: Request, response: Response, _: Gateway
    ) -> Stands:
        done = await accounts.activate(confirmation.token, confirmation.password, metadata)
        return await _done(done, labels, request, response)

    @api.post("/portals/{portal_id}/sessions", summary="Sign in")
    async def sign_in(
        portal_id: PortalId,
        given: SignIn,
        metadata: CommandMetadata,
        request: Request,
        response: Response,
        _: Gateway,
    ) -> SignedIn:
        signed_in = await accounts.sign_in(portal_id, given.email, given.password, metadata)
        response.headers.update(NOT_STORED)
        stands = await _stands(signed_in.user_id, signed_in.place, labels, request)
        return SignedIn(**stands.model_dump(), session=signed_in.secret, session_expires_at=signed_in.expires_at)

    @api.post("/identifications", summary="Answer the second identification; tries are limited")
    async def identify(
        identification: Identification,
        metadata: CommandMetadata,
        request: Request,
        response: Response,
        _: Gateway,
    ) -> Stands:
        done = await accounts.identify(identification.session, identification.answers, metadata)
        return await _done(done, labels, request, response)

    @api.post("/passwords", status_code=204, summary="Set another password; all sessions end")
    async def set_password(new: NewPassword, metadata: CommandMetadata, _: Gateway) -> None:
        if new.token is not None:
            link = await links.find(new.token)
            target = staff.set_password if link.kind == "staff_password" else accounts.reset_password
            await target(new.token, new.password, metadata)
        elif new.session is not None and new.current_password is not None:
            await accounts.change_password(new.session, new.current_password, new.password, metadata)
        else:
            raise Rejected("invalid_password_change")

    return api


def sessions_router(
    accounts: Accounts, staff: StaffDesk, sessions: Sessions, tokens: Tokens, labels: Labels
) -> APIRouter:
    """What a session is good for."""
    api = APIRouter(prefix="/sessions", tags=["sessions"])

    async def of_staff(session: Session) -> SessionToken:
        member = await staff.member_of(session)
        principal = staff.principal(session, member)
        token = await tokens.issue(principal, USER_TOKEN_LIFETIME)
        known = SessionOwner(status="ready", name=member.name, language=member.language, groups=list(member.groups))
        return _token(known, principal, session, token)

    async def of_user(session: Session, request: Request) -> SessionToken:
        place = await accounts.place_in(session)
        principal = user_principal(id_of(session.subject), place.user, place.portal)
        token = await tokens.issue(principal, USER_TOKEN_LIFETIME) if place.standing == "ready" else None
        known = SessionOwner(
            status=place.standing,
            name=place.user.name,
            language=place.user.language,
            ask=await _ask(place, labels, request),
            tries_left=place.tries_left,
        )
        return _token(known, principal, session, token)

    @api.post("/token", summary="A token of five minutes for a session")
    async def token(given: SessionSecret, request: Request, response: Response, _: Gateway) -> SessionToken:
        response.headers.update(NOT_STORED)
        session = await sessions.use(given.session, staff.clock())
        return await (of_staff(session) if session.subject.startswith(STAFF) else of_user(session, request))

    @api.post("/end", status_code=204, summary="Sign out")
    async def end(given: SessionSecret, _: Gateway) -> None:
        await sessions.end(given.session)

    return api


def _token(known: SessionOwner, principal: Principal, session: Session, token: Token | None) -> SessionToken:
    return SessionToken(
        **known.model_dump(),
        access_token=token.access_token if token else None,
        expires_in=token.expires_in if token else None,
        session_expires_at=session.expires_at,
        subject=principal.subject,
        role=principal.role,
        portal_id=principal.portal_id,
        contact_id=principal.contact_id,
    )


async def _ask(place: Place, labels: Labels, request: Request) -> list[Ask]:
    language = language_of(request.headers.get("accept-language"), place.user.language)
    return [Ask(path=path, label=await label_of(labels, path, language)) for path in place.ask]


async def _stands(user_id: str, place: Place, labels: Labels, request: Request) -> Stands:
    return Stands(
        status=place.standing,
        user_id=user_id,
        portal_id=place.portal.id,
        language=place.user.language,
        ask=await _ask(place, labels, request),
        tries_left=place.tries_left,
    )


async def _done(done: Done, labels: Labels, request: Request, response: Response) -> Stands:
    if done.outcome is not None:
        answer(response, done.outcome)
    return await _stands(done.user_id, done.place, labels, request)
