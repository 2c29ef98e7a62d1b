"""Styles and scripts as the browser gets them: one style sheet, modules, addresses that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

HERE = Path(__file__).parent
FIRST = ("tokens.css", "base.css", "layout.css")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
STYLE = "portico.css"


@dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str


class Assets:
    """`portico.css` is all styles in their order; every script and picture keeps its name."""

    def __init__(self) -> None:
        self._assets = {STYLE: Asset(_styles(), TYPES[".css"])}
        for folder in (HERE / "scripts", HERE / "styles", HERE / "components"):
            for path in sorted(folder.iterdir()):
                if path.suffix in {".js", ".svg"}:
                    self._assets[path.name] = Asset(path.read_bytes(), TYPES[path.suffix])
        everything = b"".join(name.encode() + asset.content for name, asset in sorted(self._assets.items()))
        self.version = hashlib.sha256(everything).hexdigest()[:12]

    def address(self, name: str) -> str:
        """Where an asset is. Raises KeyError for one that does not exist."""
        return f"/assets/{self.version}/{name}" if self._assets[name] else ""

    def respond(self, version: str, name: str) -> Response:
        """An asset. One of another version is answered with what there is now, and not kept."""
        asset = self._assets.get(name)
        if asset is None:
            return PlainTextResponse("", 404)
        caching = FOR_EVER if version == self.version else "no-store"
        return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": caching})


def _styles() -> bytes:
    first = [HERE / "styles" / name for name in FIRST]
    others = [path for path in sorted((HERE / "styles").glob("*.css")) if path.name not in FIRST]
    parts = [*sorted((HERE / "components").glob("*.css")), *sorted((HERE / "pages").rglob("*.css"))]
    return b"\n".join(path.read_bytes() for path in [*first, *others, *parts] if path.exists())
