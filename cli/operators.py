"""How operators' commands speak to services: where each is, with which token, and bad answers as plain sentences."""

from __future__ import annotations

import os
from typing import Any

import httpx

from cli.events.place import operator_token
from cli.problem import Problem
from cli.stack.state import State, state_folder
from contracts.topics import SERVICES

TIMEOUT_SECONDS = 60.0


def addresses() -> dict[str, str]:
    """Every service's address: PORTICO_<SERVICE>_URL, or else that of the Portico that runs here."""
    given = {name: os.environ.get(f"PORTICO_{name.upper()}_URL", "") for name in SERVICES}
    found = {name: url for name, url in given.items() if url}
    return found or State(state_folder()).record().services


class Operator:
    """Speaks to services with an operator's token."""

    def __init__(self) -> None:
        self.addresses = addresses()
        self._headers = {"Authorization": f"Bearer {operator_token()}", "Accept-Language": "en"}

    def get(self, service: str, path: str) -> Any:
        return self._ask("GET", service, path, None)

    def post(self, service: str, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", service, path, body)

    def _ask(self, method: str, service: str, path: str, body: dict[str, Any] | None) -> Any:
        """What the service answers. Raises a Problem when it refuses or does not answer."""
        if service not in self.addresses:
            raise Problem(f"There is no service {service!r}.", f"There are {', '.join(self.addresses)}.")
        url = self.addresses[service] + path
        try:
            answer = httpx.request(method, url, json=body, headers=self._headers, timeout=TIMEOUT_SECONDS)
            content = answer.json() if answer.content else None
        except (httpx.HTTPError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Problem(f"{service} does not answer: {reason}", "Look at `portico status`.") from error
        if answer.is_error:
            detail = content.get("detail") or content.get("title") if isinstance(content, dict) else ""
            raise Problem(f"{service} refuses: {detail or answer.status_code}")
        return content


def two_parts(text: str, form: str) -> tuple[str, str]:
    """`billing/owed` -> `billing`, `owed`; a Problem for anything else."""
    service, slash, name = text.partition("/")
    if not (service and slash and name):
        raise Problem(f"{text!r} is not {form}.", f"Write it as {form}.")
    return service, name
