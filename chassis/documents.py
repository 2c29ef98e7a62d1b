"""Documents that people write (schemas, journeys, portals ...): read strictly, and every mistake told where it stands.

A mistake names its place as a dotted path into the document, so that whoever has the file can point at the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from chassis.errors import Rejected
from chassis.texts import Texts
from contracts.common import Language

MAXIMUM_MISTAKES = 100
MAXIMUM_NAMES = 30
SENTENCES = Texts.load(Path(__file__).with_name("documents.yaml"))
AS_THEY_ARE = {"value_error", "assertion_error"}
OVERSHADOWED = {"literal_error", "union_tag_invalid", "union_tag_not_found", "enum", "too_short"}
"""Kinds that say nothing more where a deeper part is wrong, as those do that end in `_type`."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a document, e.g. at `steps.0.fields.reason.options`; an empty path is the whole document."""

    path: str
    detail: str


class InvalidDocument(Rejected):
    """A document that cannot be taken; the fact `mistakes` lists what is wrong, in the order of the document."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        shown = tuple(mistakes[:MAXIMUM_MISTAKES])
        super().__init__("invalid_document", mistakes=shown, count=len(mistakes))
        self.mistakes = shown


def read_document(model: type[M], body: Any, language: Language) -> M:
    """The document as a model. Raises InvalidDocument with all mistakes, in sentences of the language."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise InvalidDocument(mistakes_of(error, model, body, language)) from error


def mistakes_of(error: ValidationError, model: Any, body: Any, language: Language) -> list[Mistake]:
    """Pydantic's errors as mistakes: without names of unions' branches, and each place and sentence once."""
    told: dict[Mistake, bool] = {}
    for each in error.errors(include_url=False):
        place = _place(each["loc"], each["type"], body)
        names = _names(model, each["loc"][:-1]) if each["type"] == "extra_forbidden" else ()
        mistake = Mistake(".".join(map(str, place)), _detail(each, names, language))
        told[mistake] = told.get(mistake, False) or each["type"].endswith("_type") or each["type"] in OVERSHADOWED
    deeper = [mistake.path for mistake in told]
    return [
        mistake
        for mistake, overshadowed in told.items()
        if not (overshadowed and any(path.startswith(f"{mistake.path}.") for path in deeper))
    ]


def _place(location: Sequence[int | str], kind: str, body: Any) -> list[int | str]:
    """The parts of a location that are keys and indexes of the document; a missing key is its last part."""
    place: list[int | str] = []
    here = body
    for number, part in enumerate(location):
        if (isinstance(here, Mapping) and part in here) or (
            isinstance(here, list | tuple) and isinstance(part, int) and part < len(here)
        ):
            here = here[part]  # type: ignore[index]  # a mapping with this key, or a sequence that is long enough
            place.append(part)
        elif kind == "missing" and number == len(location) - 1:
            place.append(part)
    return place


def _detail(error: Mapping[str, Any], names: Sequence[str], language: Language) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in AS_THEY_ARE:
        return str(context.get("error", error["msg"]))
    facts = {**context, "name": str(error["loc"][-1]) if error["loc"] else ""}
    if kind == "extra_forbidden":
        near = get_close_matches(facts["name"], names, 1)
        kind = "extra_forbidden_near" if near else "extra_forbidden" if names else "extra_forbidden_here"
        facts |= {"near": near, "names": names[:MAXIMUM_NAMES]}
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        kind = "literal_error"
        facts["possible"] = str(context.get("expected") or context.get("expected_tags")).replace(" or ", ", ")
    return SENTENCES.say(kind, language, facts) or str(error["msg"])


def _names(model: Any, location: Sequence[int | str]) -> tuple[str, ...]:
    """The fields that are possible at a location of a model, of all its branches."""
    here = list(_branches(model))
    for part in location:
        stepped = [below for each in here for below in _below(each, part)]
        here = stepped or here
    return tuple(
        dict.fromkeys(
            field.alias or name for each in here if _is_model(each) for name, field in each.model_fields.items()
        )
    )


def _branches(annotation: Any) -> Iterator[Any]:
    """The types behind an annotation: what stands in Annotated, and every branch of a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _branches(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for branch in get_args(annotation):
            yield from _branches(branch)
    else:
        yield annotation


def _below(annotation: Any, part: int | str) -> Iterator[Any]:
    """The types of a part of a model, a mapping or a sequence; nothing where the part only names a branch."""
    if _is_model(annotation):
        for name, field in annotation.model_fields.items():
            if part in {name, field.alias}:
                yield from _branches(field.annotation)
    elif (arguments := get_args(annotation)) and isinstance(get_origin(annotation), type):
        if issubclass(get_origin(annotation), Mapping) and isinstance(part, str):
            yield from _branches(arguments[1])
        elif issubclass(get_origin(annotation), Sequence) and isinstance(part, int):
            yield from _branches(arguments[0])


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
