"""What is configured now, asked for and changed over the services' API; refusals keep the places of their mistakes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from cli.configuration.kinds import PORTAL, TEMPLATE, Kind, id_of
from cli.events.place import operator_token
from cli.operators import addresses
from cli.problem import Problem
from contracts.common import Language

TIMEOUT_SECONDS = 30.0
MAXIMUM_PAGES = 1_000
NEVER_PUT = '"0"'
LANGUAGE: Language = "en"


@dataclass(frozen=True)
class Configured:
    """A document as it is now, and the version that a change is made against."""

    content: dict[str, Any]
    version: str


@dataclass(frozen=True)
class Remark:
    """A mistake, or a warning, at a path of a document."""

    path: str
    detail: str


@dataclass(frozen=True)
class Answer:
    """What became of a document: taken, with warnings, or refused, with the mistakes."""

    taken: bool
    remarks: list[Remark]


class Remote:
    """Speaks to the services that own documents, as whoever PORTICO_TOKEN is, or as an operator of this machine."""

    def __init__(self, client: httpx.Client, urls: dict[str, str]) -> None:
        self._client = client
        self._urls = urls
        self._positions: list[str] = []

    @classmethod
    def of_environment(cls) -> Remote:
        """Below PORTICO_API_URL, or at each service's own address."""
        api = os.environ.get("PORTICO_API_URL", "").rstrip("/")
        urls = addresses() if not api else {}
        headers = {"Authorization": f"Bearer {operator_token()}", "Accept-Language": LANGUAGE}
        client = httpx.Client(timeout=TIMEOUT_SECONDS, headers=headers)
        return cls(client, urls if urls else _Below(api))

    def find(self, kind: Kind, id_: str) -> Configured | None:
        """The document as it is now; None when there is none, or only one that comes with Portico."""
        answer = self._ask("GET", kind, kind.path_of(id_))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        version = self._good(kind, answer).headers.get("ETag", "")
        return None if version == NEVER_PUT else Configured(_content(kind, answer.json()), version)

    def put(self, kind: Kind, id_: str, content: dict[str, Any], version: str) -> Answer:
        """Brings a document in, unless somebody changed it since `version`; the services before it are awaited."""
        headers = {"If-Match": version} if version else {}
        if self._positions:
            headers["Portico-Position"] = ", ".join(self._positions[-8:])
        answer = self._ask("PUT", kind, kind.path_of(id_), content, headers)
        if answer.is_success:
            self._positions += [answer.headers["Portico-Position"]] if "Portico-Position" in answer.headers else []
            return Answer(True, _remarks(answer.json().get("warnings")))
        if answer.status_code in {401, 403} or answer.is_server_error:
            self._good(kind, answer)
        problem = _problem(answer)
        remarks = _remarks(problem.get("mistakes")) or _remarks(problem.get("errors"))
        return Answer(False, remarks or [Remark("", str(problem.get("detail") or answer.status_code))])

    def all(self, kind: Kind) -> Iterator[tuple[str, Configured]]:
        """Every document of a kind with its id, as it is now."""
        parents = [id_ for id_, _ in self.all(PORTAL)] if kind is TEMPLATE else [""]
        for parent in parents:
            for item in self._items(kind, kind.listed.format(parent)):
                found = id_of(kind, item if kind is not TEMPLATE else {"portal": parent, **item})
                configured = self.find(kind, found) if found else None
                if found and configured:
                    yield found, configured

    def _items(self, kind: Kind, path: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = ""
        for _ in range(MAXIMUM_PAGES):
            query = f"?{httpx.QueryParams({'cursor': cursor})}" if cursor else ""
            page = self._good(kind, self._ask("GET", kind, path + query)).json()
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    def _ask(
        self, method: str, kind: Kind, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            return self._client.request(method, self._urls[kind.service] + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Problem(f"{kind.service} does not answer: {reason}", "Look at `portico status`.") from error

    def _good(self, kind: Kind, answer: httpx.Response) -> httpx.Response:
        if not answer.is_success:
            detail = _problem(answer).get("detail")
            raise Problem(f"{kind.service} refuses: {detail or answer.status_code}")
        return answer


class _Below(dict[str, str]):
    """Addresses of services below the one address."""

    def __init__(self, api: str) -> None:
        super().__init__()
        self._api = api

    def __missing__(self, service: str) -> str:
        return f"{self._api}/{service}"


def _content(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The document in an answer, without what only answers carry."""
    return {name: value for name, value in body.items() if name != "warnings"}


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _remarks(found: Any) -> list[Remark]:
    """Of `mistakes`, of `warnings`, or of the `errors` of a request whose body does not fit."""
    return [
        Remark(str(each["path"]).removeprefix("body").lstrip("."), str(each.get("detail") or each.get("message")))
        for each in found or ()
    ]
