"""The kinds of files that people may send: how they are called, and how their content shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import filetype

Kind = Literal["pdf", "jpg", "png", "webp", "heic", "tif", "docx", "xlsx", "odt"]

HEAD_BYTES = 8 * 1024
"""How much of a file is looked at to see what it is."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file. The first of its extensions is the usual one."""

    media_type: str
    extensions: tuple[str, ...]


KINDS: Mapping[Kind, FileKind] = {
    "pdf": FileKind("application/pdf", ("pdf",)),
    "jpg": FileKind("image/jpeg", ("jpg", "jpeg")),
    "png": FileKind("image/png", ("png",)),
    "webp": FileKind("image/webp", ("webp",)),
    "heic": FileKind("image/heic", ("heic", "heif")),
    "tif": FileKind("image/tiff", ("tif", "tiff")),
    "docx": FileKind("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ("docx",)),
    "xlsx": FileKind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ("xlsx",)),
    "odt": FileKind("application/vnd.oasis.opendocument.text", ("odt",)),
}


def kind_of(head: bytes) -> Kind | None:
    """What a file is by its first `HEAD_BYTES`; None for everything that nobody may send."""
    guessed = filetype.guess(head)
    return next((kind for kind, each in KINDS.items() if guessed and each.media_type == guessed.mime), None)


def extension_of(name: str) -> str:
    """The extension of a file's name, in small letters and without its dot."""
    return PurePosixPath(name.replace("\\", "/")).suffix.lower().removeprefix(".")
