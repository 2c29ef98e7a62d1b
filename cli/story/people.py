"""What people do in a portal that a gateway serves: register, confirm, sign in; a secret is never told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cli.story.stage import Actor, Stage, expect, until
from cli.story.utility import PORTAL

HIDDEN = "…"
ACTIVATION_LINK = r"/activate/([A-Za-z0-9_-]+)"


@dataclass(frozen=True)
class Visitor:
    """Somebody in front of the portal. The password is as long as the law of large numbers wishes."""

    name: str
    email: str
    already_customer: bool
    language: str = "de"

    @property
    def password(self) -> str:
        return f"{self.name[::-1]} counts {len(self.email)} quiet lanterns"


MARIA = Visitor("Maria Kern", "maria.kern@stadtwerke-lindenau.example", already_customer=False)
"""Works for the utility."""


async def employ(stage: Stage, member: Visitor) -> None:
    """Registers a member of staff who serves customers, unless she is one already."""
    operator = await stage.actor("operator", "operator")
    known = await stage.read(operator, "identity", "/staff")
    if any(each["email"] == member.email for each in known["items"]):
        return
    body = {
        "email": member.email,
        "name": member.name,
        "groups": ["customer_service"],
        "roles": ["staff", "operator"],
        "language": member.language,
        "password": member.password,
    }
    await stage.ask(operator, "POST", "identity", "/staff", status=201, body=body, told={**body, "password": HIDDEN})


@dataclass(frozen=True)
class Portal:
    """A portal's gateway: it has a token of its own, and acts for those who sign in."""

    stage: Stage
    gateway: Actor

    async def ask(
        self,
        visitor: Visitor,
        path: str,
        body: dict[str, Any],
        status: int,
        shown: Sequence[str] = (),
        *,
        method: str = "POST",
    ) -> Any:
        """A request that the gateway sends for a visitor, in his language; returns what is answered."""
        actor = Actor(f"gateway for {visitor.name}", self.gateway.token, visitor.language)
        answer = await self.stage.ask(
            actor,
            method,
            "identity",
            path,
            status=status,
            body=body if method == "POST" else None,
            told={name: HIDDEN if name in {"password", "token", "session"} else value for name, value in body.items()}
            or None,
            shown=lambda answered: [(name, str(answered.get(name))) for name in shown],
        )
        return answer.json() if answer.content else None

    async def register(self, visitor: Visitor) -> None:
        """The answer is the same whoever it is; what differs is told once the mailbox is his."""
        wish = {
            "email": visitor.email,
            "password": visitor.password,
            "name": visitor.name,
            "language": visitor.language,
            "already_customer": visitor.already_customer,
        }
        told = await self.ask(visitor, f"/portals/{PORTAL}/registrations", wish, 202, ["status"])
        expect("the answer to a registration", told, {"status": "check_mailbox"})

    async def activate(self, visitor: Visitor, seen: frozenset[str]) -> Any:
        """Opens the link of the mail, which uses nothing up, and presses the button, which does."""
        _, link = await self.stage.mail_with(visitor.email, ACTIVATION_LINK, seen)
        page = await self.ask(visitor, f"/activations/{link[1]}", {}, 200, ["kind", "state"], method="GET")
        expect("what the link is good for", (page["kind"], page["state"]), ("activation", "open"))
        stands = await self.ask(visitor, "/activations", {"token": link[1]}, 200, ["status"])
        page = await self.ask(visitor, f"/activations/{link[1]}", {}, 200, ["state"], method="GET")
        expect("the link after it was used", page["state"], "used")
        return stands

    async def sign_in(self, visitor: Visitor, status: str) -> Any:
        """Address and password against a session, which the gateway keeps in a cookie; he must have come so far."""
        given = {"email": visitor.email, "password": visitor.password}

        async def signed_in() -> Any:
            answer = await self.ask(visitor, f"/portals/{PORTAL}/sessions", given, 200, ["status"])
            return answer if answer["status"] == status else None

        return await until(f"{visitor.name} to be {status}", signed_in)

    async def actor(self, visitor: Visitor, session: str) -> tuple[Actor, str]:
        """The session against a token for the other services; returns the contact's id, too."""
        token = await self.ask(visitor, "/sessions/token", {"session": session}, 200, ["status", "role", "contact_id"])
        expect(f"how far {visitor.name} has come", token["status"], "ready")
        return Actor(visitor.name, token["access_token"], visitor.language), token["contact_id"]
