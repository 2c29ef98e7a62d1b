"""What a published schema must never do: say no to what was published before, or promise its readers less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

LOWER_LIMITS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_LIMITS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
COMPARED = {*LOWER_LIMITS, *UPPER_LIMITS, "type", "enum", "const", "anyOf", "$ref", "default"} | {
    *("properties", "required", "additionalProperties", "propertyNames", "items", "x-opened")
}
CONSTRAINTS = {"format", "pattern", "multipleOf", "uniqueItems"}
WORDS_FOR_PEOPLE = {"title", "description", "examples", "deprecated", "$defs"}
MAXIMUM_DEPTH = 20


def breaking_changes(old: Schema, new: Schema, *, inbound: bool) -> list[str]:
    """Sentences that say where `new` breaks what `old` promised; empty when it only adds.

    Everything that was valid must stay valid and keep its meaning. A schema that others read (not `inbound`) must
    also go on to promise what it promised: required properties stay, types do not widen (a set of words may grow).
    """
    return list(_Comparison(old, new, inbound).compare(old, new, ""))


class _Comparison:
    def __init__(self, old: Schema, new: Schema, inbound: bool) -> None:
        self._old = old
        self._new = new
        self._inbound = inbound

    def compare(self, old: Schema, new: Schema, path: str, depth: int = 0) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if depth > MAXIMUM_DEPTH or old == new == {}:
            return
        where = path or "the value"
        if "default" in old and "default" in new and not _kept(old["default"], new["default"]):
            yield f"{where}: what is left out meant {old['default']!r}, now {new['default']!r}"
        yield from self._inner(old.get("x-opened", {}), new.get("x-opened", {}), f"{path}.(opened)", depth)
        yield from _changed(old, new, where)
        if "anyOf" in old or "anyOf" in new:
            yield from self._unions(old.get("anyOf", [old]), new.get("anyOf", [new]), where, depth)
        elif old.get("type") != new.get("type"):
            yield f"{where}: its type was {old.get('type', 'anything')}, now {new.get('type', 'anything')}"
        else:
            yield from _narrowed(old, new, where)
            yield from self._structure(old, new, path, depth)

    def _structure(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        yield from self._properties(old, new, path, depth)
        for keyword, name in (("items", "[]"), ("propertyNames", ".(name)")):
            yield from self._inner(old.get(keyword, {}), new.get(keyword, {}), f"{path}{name}", depth)
        if "additionalProperties" in {*old, *new}:
            yield from self._additional(old, new, path, depth)

    def _properties(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            where = f"{path}.{name}".lstrip(".")
            if name in after:
                yield from self.compare(before[name], after[name], where, depth + 1)
            else:
                yield f"{where}: removed"
        was, is_now = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(is_now - was):
            yield f"{path}.{name}".lstrip(".") + ": required now; what was published before lacks it"
        for name in sorted(was - is_now):
            if not self._inbound and name in after:
                yield f"{path}.{name}".lstrip(".") + ": was required, readers rely on it"

    def _additional(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if after is False and before is not False:
            yield f"{path or 'the value'}: other properties were allowed"
        elif before is not False:
            yield from self._inner(_as_schema(before), _as_schema(after), f"{path}.*".lstrip("."), depth)

    def _inner(self, old: Schema, new: Schema, path: str, depth: int) -> Iterator[str]:
        if old or new:
            yield from self.compare(old, new, path.lstrip("."), depth + 1)

    def _unions(self, old: list[Schema], new: list[Schema], where: str, depth: int) -> Iterator[str]:
        """Each alternative needs one that takes it over; for readers none may be new."""
        for alternative in old:
            if not any(self._fits(alternative, other, depth) for other in new):
                yield f"{where}: {_brief(alternative)} was possible and is not any more"
        for alternative in new:
            if not self._inbound and not any(self._fits(other, alternative, depth) for other in old):
                yield f"{where}: {_brief(alternative)} is possible now, readers do not know it"

    def _fits(self, old: Schema, new: Schema, depth: int) -> bool:
        return not list(self.compare(old, new, "", depth + 1))


def _narrowed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    words, allowed = _words(old), _words(new)
    if allowed is not None and (words is None or not words <= allowed):
        lost = "any other" if words is None else ", ".join(sorted(map(repr, words - allowed)))
        yield f"{where}: no longer takes {lost}"
    for keyword in LOWER_LIMITS:
        if keyword in new and (keyword not in old or new[keyword] > old[keyword]):
            yield f"{where}: {keyword} is {new[keyword]}, was {old.get(keyword, 'not limited')}"
    for keyword in UPPER_LIMITS:
        if keyword in new and (keyword not in old or new[keyword] < old[keyword]):
            yield f"{where}: {keyword} is {new[keyword]}, was {old.get(keyword, 'not limited')}"


def _changed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """Keywords that are not understood any better than: must stay the same."""
    union = "anyOf" in old or "anyOf" in new
    compared = {*old, *new} - COMPARED - WORDS_FOR_PEOPLE - (CONSTRAINTS if union else set())
    for keyword in sorted(compared):
        if old.get(keyword) != new.get(keyword):
            yield f"{where}: {keyword} was {old.get(keyword)!r}, now {new.get(keyword)!r}"


def _kept(old: Any, new: Any) -> bool:
    """Whether a default means what it meant; a document may have got further fields."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and _kept(value, new[name]) for name, value in old.items())
    return bool(old == new)


def _words(schema: Schema) -> set[Any] | None:
    return {schema["const"]} if "const" in schema else set(schema["enum"]) if "enum" in schema else None


def _as_schema(additional: bool | Schema) -> Schema:
    return {} if isinstance(additional, bool) else additional


def _brief(schema: Schema) -> str:
    return str(schema.get("$ref", schema.get("type", schema.get("const", "anything")))).rpartition("/")[2]


def _resolved(schema: Schema, root: Schema) -> Schema:
    """A schema with its local reference followed; words beside the reference stay."""
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
