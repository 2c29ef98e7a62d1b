"""The utility of the stories: its configuration and its customers, brought in over the public APIs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.configuration.folder import Document, read_folder
from cli.configuration.kinds import PORTAL as PORTAL_KIND
from cli.story.stage import Actor, Place, Stage, StoryFailed, expect

FOLDER = Path(__file__).parents[2] / "demo" / "lindenau"
PORTAL = "customers"
COUNTS = ("created", "updated", "unchanged", "refused")


@dataclass(frozen=True)
class Imported:
    """The records' ids by their external ids, and where a view must be to show them."""

    ids: dict[str, str]
    position: str


def documents() -> list[Document]:
    """What `portico apply demo/lindenau` brings in, in its order."""
    found = read_folder(FOLDER)
    if found.mistakes:
        raise StoryFailed("documents without mistakes", found.mistakes[0])
    return found.documents


def text(file: str) -> str:
    return (FOLDER / file).read_text(encoding="utf-8")


async def configure(stage: Stage, operator: Actor) -> str:
    """Schemas, journeys, processes, portals and templates; returns where the last of each service stands."""
    positions: dict[str, str] = {}
    for document in documents():
        answer = await stage.ask(
            operator,
            "PUT",
            document.kind.service,
            document.kind.path_of(document.id),
            body=_here(stage.place, document),
            position=", ".join(positions.values()) or None,
            told=f"{document.kind.name} {document.id}, from {document.file.relative_to(FOLDER.parents[1])}",
        )
        positions[document.kind.service] = answer.headers["Portico-Position"]
    return ", ".join(positions.values())


def _here(place: Place, document: Document) -> dict[str, Any]:
    """The document; a portal of this machine is where the gateway that runs here serves it."""
    url = urlsplit(str(document.content.get("url", "")))
    if (
        document.kind is not PORTAL_KIND
        or place.gateway_port is None
        or not (url.hostname or "").endswith(".localhost")
    ):
        return document.content
    return {**document.content, "url": f"http://{url.hostname}:{place.gateway_port}"}


async def bring_in_installers(stage: Stage, actor: Actor) -> str:
    """Firms first, then the people who work there; returns where a view must be to show them."""
    firms = await bring_in(stage, actor, "company", text("companies.csv"))
    people = await bring_in(stage, actor, "contact", text("installers.csv"), firms.position)
    return f"{firms.position}, {people.position}"


async def bring_in(stage: Stage, actor: Actor, entity: str, file: str, position: str | None = None) -> Imported:
    """Imports a CSV file; no row may be refused."""
    answer = await stage.ask(
        actor,
        "POST",
        "entities",
        f"/imports/{entity}",
        body=file,
        position=position,
        shown=lambda report: [("rows", ", ".join(f"{report[count]} {count}" for count in COUNTS))],
    )
    report = answer.json()
    expect(f"refused rows in the import of {entity}", report["refused"], 0)
    return Imported({row["external_id"]: row["id"] for row in report["rows"]}, ", ".join(report["positions"]))
