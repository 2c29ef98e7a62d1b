"""The questions of a step: what a page draws for each, and how what people type becomes an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.numbers import format_decimal

from chassis.texts import LOCALES
from contracts.common import Language
from gateway.visit import Form

PREFIX = "q."
"""Of the names of inputs, so that no field of a journey is taken for one of the form itself."""
YES, NO = "yes", "no"
MOST_RADIOS = 8
LONGEST_NUMBER = 40
FILL_IN = {
    "name": "name",
    "first_name": "given-name",
    "last_name": "family-name",
    "company": "organization",
    "street": "address-line1",
    "postcode": "postal-code",
    "city": "address-level2",
}
"""What browsers know of somebody, by the names that fields have (WCAG 1.3.5)."""
WORDS = {"words": "label", "hint_words": "hint", "info_words": "text"}
KINDS = {"email": "email", "phone": "tel"}
OPEN_KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
OPEN_FORMATS = ("date", "email", "phone", "iban")


def questions(step: Mapping[str, Any], language: Language, asked: list[str] | None = None) -> list[dict[str, Any]]:
    """What is drawn, in its order. `asked` are the fields that are asked; None: all of them."""
    shown = [entry for entry in step["ui"] if asked is None or entry["field"] in asked]
    answers = step.get("answers", {})
    return [_drawn(entry, step["schema"], answers.get(entry["field"]), language) for entry in shown]


def read(step: Mapping[str, Any], form: Form, asked: list[str], language: Language) -> dict[str, Any]:
    """The answers to the fields that were asked. What was left empty is left out; files answer by themselves."""
    given: dict[str, Any] = {}
    for entry in questions(step, language, asked):
        value = _read(entry, form, language)
        if value is not None:
            given[entry["field"]] = value
    return given


def labels(drawn: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Name of the input and label by the path of a mistake."""
    found: dict[str, tuple[str, str]] = {}
    for entry in drawn:
        if entry["type"] != "info":
            found[entry["path"]] = (entry["name"], entry["words"])
            found |= labels(entry.get("parts", []))
    return found


def _drawn(entry: Mapping[str, Any], schema: Mapping[str, Any], value: Any, language: Language) -> dict[str, Any]:
    field = entry["field"]
    said = {name: entry[key][language] if key in entry else None for name, key in WORDS.items()}
    drawn = {**entry, **said, "path": field, "name": f"{PREFIX}{field}", "required": entry.get("required", False)}
    own = schema.get("properties", {}).get(field, {})
    if entry["type"] == "schema" and _is_flat(own):
        parts = _parts(drawn, own, value if isinstance(value, Mapping) else {}, language)
        return {**drawn, "type": "parts", "parts": parts}
    if entry["type"] == "schema":
        return {**drawn, "value": "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)}
    return {**drawn, **_hints(entry, own, language), "value": _typed(entry["type"], value, language)}


def _hints(entry: Mapping[str, Any], own: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """What helps to fill a field in, beside what the journey says."""
    autocomplete = KINDS.get(entry["type"]) or FILL_IN.get(entry["field"])
    longest = own.get("maxLength")
    options = [(each["value"], each["label"][language]) for each in entry.get("options", ())]
    return {
        "choices": options,
        "as_radios": len(options) <= MOST_RADIOS,
        "autocomplete": autocomplete,
        "maxlength": longest if isinstance(longest, int) else None,
        "earliest": own.get("formatMinimum"),
        "latest": own.get("formatMaximum"),
    }


def _is_flat(own: Mapping[str, Any]) -> bool:
    properties = own.get("properties")
    return isinstance(properties, Mapping) and all(
        isinstance(each, Mapping) and (each.get("type") in OPEN_KINDS or _options(each)) for each in properties.values()
    )


def _parts(
    whole: Mapping[str, Any], own: Mapping[str, Any], values: Mapping[str, Any], language: Language
) -> list[dict[str, Any]]:
    """The parts of an answer that is an object, such as an address: a field each."""
    parts = []
    for part, schema in own["properties"].items():
        title = str(schema.get("title") or part.replace("_", " ").capitalize())
        kind = schema.get("format") if schema.get("format") in OPEN_FORMATS else OPEN_KINDS.get(schema.get("type"), "")
        entry = {"field": part, "type": kind, "label": {"de": title, "en": title}}
        if options := _options(schema):
            entry |= {"type": "choice", "options": options}
        drawn = _drawn(entry, {"properties": {part: schema}}, values.get(part), language)
        required = part in own.get("required", ())
        parts.append({**drawn, "path": f"{whole['path']}.{part}", "name": f"{whole['name']}.{part}"})
        parts[-1]["required"] = required
    return parts


def _options(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = [each for each in schema.get("enum", ()) if isinstance(each, str)]
    return [{"value": each, "label": {"de": each, "en": each}} for each in values]


def _typed(kind: str, value: Any, language: Language) -> Any:
    """An answer as it stands in its field."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "money" and is_number:
        return format_decimal(Decimal(value) / 100, "0.00", locale=LOCALES[language])
    if kind in {"number", "integer"} and is_number:
        return format_decimal(value, "0.##########", locale=LOCALES[language])
    if kind == "boolean":
        return {True: YES, False: NO}.get(value) if isinstance(value, bool) else None
    if kind == "choices":
        return value if isinstance(value, list) else []
    return value


def _read(entry: Mapping[str, Any], form: Form, language: Language) -> Any:
    """The answer to a field as it was typed; None for nothing."""
    text = form.get(entry["name"])
    match entry["type"]:
        case "info" | "files":
            return None
        case "choices":
            return form.all(entry["name"]) or None
        case "boolean":
            return {YES: True, NO: False}.get(text)
        case "parts":
            found = {part["field"]: _read(part, form, language) for part in entry["parts"]}
            return {name: value for name, value in found.items() if value is not None} or None
        case "money" if (amount := number_of(text, language)) is not None:
            cents = amount * 100
            return int(cents) if cents == cents.to_integral_value() else text
        case "number" | "integer" if (amount := number_of(text, language)) is not None:
            return int(amount) if amount == amount.to_integral_value() else float(amount)
        case "schema":
            return _json(text)
        case _:
            return text.replace("\r\n", "\n") or None


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def number_of(text: str, language: Language) -> Decimal | None:
    """A number as people of a language write it, with or without separators and the sign of the euro."""
    bare = re.sub(r"[\s\u00a0\u202f'’]|€|EUR", "", text[:LONGEST_NUMBER])
    point = "," if language == "de" else "."
    if "," in bare and "." in bare:
        point = max(",.", key=bare.rfind)
    elif re.fullmatch(r"[+-]?\d{1,3}([.,]\d{3})+", bare) and point not in bare:
        return Decimal(re.sub(r"[.,]", "", bare))
    else:
        point = "," if "," in bare else "."
    other = "." if point == "," else ","
    plain = bare.replace(other, "").replace(point, ".")
    try:
        return Decimal(plain) if re.fullmatch(r"[+-]?\d+(\.\d+)?", plain) else None
    except InvalidOperation:
        return None


def has_files(drawn: list[dict[str, Any]]) -> bool:
    return any(entry["type"] == "files" for entry in drawn)
