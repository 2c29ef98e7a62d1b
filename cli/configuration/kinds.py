"""The kinds of documents: how each is recognised, who owns it and where, and in which order they are brought in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """`name` is the key that names the document. Later kinds may refer to earlier ones, so order matters."""

    name: str
    folder: str
    service: str
    path: str
    listed: str

    def path_of(self, id_: str) -> str:
        return self.path.format(*(quote(part, safe="") for part in id_.split("/", 1)))


ENTITY = Kind("entity", "entities", "entities", "/schemas/{}", "/schemas")
JOURNEY = Kind("journey", "journeys", "journeys", "/journeys/{}", "/journeys")
PROCESS = Kind("process", "processes", "processes", "/definitions/{}", "/definitions")
PORTAL = Kind("portal", "portals", "portal", "/portals/{}", "/portals")
TEMPLATE = Kind("template", "templates", "notifications", "/portals/{}/templates/{}", "/portals/{}/templates")
KINDS = (ENTITY, JOURNEY, PROCESS, PORTAL, TEMPLATE)


def kind_of(content: Mapping[str, Any]) -> Kind | None:
    """The kind of a document; a template names its portal too, so its own key decides first."""
    return next((kind for kind in (TEMPLATE, *KINDS) if kind.name in content), None)


def id_of(kind: Kind, content: Mapping[str, Any]) -> str | None:
    """How the document is called; a template's is <portal>/<template>. None when that is no text."""
    names = ("portal", "template") if kind is TEMPLATE else (kind.name,)
    parts = [content.get(name) for name in names]
    return "/".join(parts) if all(isinstance(part, str) and part for part in parts) else None  # type: ignore[arg-type]  # all are texts


def rank(kind: Kind) -> int:
    return KINDS.index(kind)
