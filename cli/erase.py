"""`portico erase`: destroys the key of a person; history stays and still verifies, and nobody can read him in it."""

import sys
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from cli.events.place import identity_url, operator_token
from cli.problem import Problem
from cli.token import contact_id

TIMEOUT_SECONDS = 15.0


def erase(
    person: Annotated[str, typer.Argument(help="contact/4f1c..., or a contact's external id such as K-1001.")],
    reason: Annotated[str, typer.Option(help="Stays in history for ever: name no person in it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Erase a person for good: his key is destroyed, and views, templates and searches forget him."""
    name = person if "/" in person else f"contact/{contact_id(person)}"
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Destroy the key of {name}? Nobody can undo this.", abort=True, err=True)
    try:
        answer = httpx.post(
            f"{identity_url()}/persons/{name}/erase",
            json={"reason": reason},
            headers={"Authorization": f"Bearer {operator_token()}", "Accept-Language": "en"},
            timeout=TIMEOUT_SECONDS,
        )
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Problem(f"Identity does not answer: {str(error) or type(error).__name__}.") from error
    if answer.status_code != httpx.codes.OK:
        raise Problem(f"{name} was not erased: {body.get('detail') or body.get('title') or answer.status_code}")
    console = Console(highlight=False)
    console.print(f"{escape(name)} {'was erased already' if body['repeated'] else 'is erased'}.", soft_wrap=True)
    if position := answer.headers.get("Portico-Position"):
        console.print(f"Services have forgotten him when they have reached {position}.", soft_wrap=True)
