"""`portico token`: a development token of the stack that runs here, for curl and for the other commands."""

from typing import Annotated, Any
from uuid import UUID

import httpx
import typer

from cli.problem import Problem
from cli.stack.state import State, state_folder
from contracts.ids import record_id

ROLES = ("customer", "installer", "staff", "operator", "erp", "gateway", "service")
WITH_CONTACT = ("customer", "installer")
TIMEOUT_SECONDS = 5.0


def token(
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")] = "operator",
    contact: Annotated[
        str | None, typer.Option(help="Whose token: the contact's id, or its external id in the ERP.")
    ] = None,
    portal: Annotated[str | None, typer.Option(help="The portal he is in.")] = None,
) -> None:
    """Print a token for this machine's Portico, and nothing else."""
    record = State(state_folder()).record()
    typer.echo(development_token(record.services["identity"], role, contact=contact, portal=portal))


def development_token(
    identity_url: str,
    role: str,
    *,
    contact: str | None = None,
    portal: str | None = None,
    subject: str | None = None,
) -> str:
    """A token of the role from an identity that allows development; a Problem when there is none to be had.

    `contact` is a contact's id or its external id.
    """
    if role not in ROLES:
        raise Problem(f"There is no role {role!r}.", f"There are {', '.join(ROLES)}.")
    if role in WITH_CONTACT and contact is None:
        raise Problem(f"A token of the role {role} belongs to a contact.", "Name it: `--contact K-1001`.")
    wanted: dict[str, Any] = {"role": role, "subject": subject, "portal_id": portal}
    if contact is not None:
        wanted |= {"contact_id": contact_id(contact)}
    try:
        answer = httpx.post(f"{identity_url}/development/token", json=wanted, timeout=TIMEOUT_SECONDS)
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Problem(
            f"Identity at {identity_url} does not answer: {str(error) or type(error).__name__}.",
            "Look at `portico status`; start it with `portico up`.",
        ) from error
    if answer.status_code != 200:
        raise Problem(f"Identity gives no token: {body.get('detail', answer.status_code)}")
    return str(body["access_token"])


def contact_id(text: str) -> str:
    """The id of a contact that is named by its id or by its external id."""
    try:
        return str(UUID(text))
    except ValueError:
        return record_id("contact", text)
