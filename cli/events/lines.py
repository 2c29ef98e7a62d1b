"""How events look: one line each in `tail`, everything in `show`, JSON for programs."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson
from rich.console import Console
from rich.json import JSON
from rich.text import Text

from cli.events.reveal import as_box
from cli.events.seen import Seen

COLOURS = {
    "identity": "magenta",
    "entities": "cyan",
    "journeys": "bright_magenta",
    "processes": "bright_cyan",
    "billing": "green",
    "notifications": "yellow",
    "portal": "blue",
}
WIDE = 110
LONGEST_TEXT = 60
EXCERPT = 80
LONGEST_EXCERPT = 2_000
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
UUID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HIDDEN = {"id", "currency"}


def line(console: Console, seen: Seen, *, repeated: bool = False) -> Text:
    """Time, type, stream, position and the facts that matter: in columns on a wide terminal, else close together."""
    colour = "dim" if repeated else COLOURS.get(seen.service, "white")
    full = not console.is_terminal
    name = Text(clean(seen.type_name), f"bold {colour}") if seen.record else Text("malformed", "bold red")
    stream = Text(_stream(seen, full), colour)
    place = Text(clean(seen.place), "dim")
    facts = _facts(seen, full)
    if repeated:
        facts = Text.assemble(("again  ", "yellow"), facts)
    if full or console.width >= WIDE:
        columns = [Text(f"{seen.time:%H:%M:%S.%f}"[:12], "dim"), _wide(name, 22), _wide(stream, 24), _wide(place, 20)]
        if full:
            columns[0] = Text(f"{seen.time:%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z")
        return _fitted(Text("  ").join([*columns, facts]), console)
    short = [Text(f"{seen.time:%H:%M:%S}", "dim"), name, place, stream, facts]
    return _fitted(Text(" ").join(part for part in short if part), console)


def details(seen: Seen) -> Text:
    """Everything there is to know about an event."""
    colour = COLOURS.get(seen.service, "white")
    metadata = _metadata(seen)
    width = max(map(len, metadata))
    lines = [Text.assemble((clean(seen.type_name) or "malformed", f"bold {colour}"), "  ", (clean(seen.place), "bold"))]
    lines += [Text.assemble((f"  {name:{width}}  ", "dim"), clean(str(value))) for name, value in metadata.items()]
    if seen.data is None:
        body = Text(clean(_excerpt(seen.value, LONGEST_EXCERPT)), "red")
    else:
        body = JSON.from_data(_readable(seen.data), indent=2, ensure_ascii=False).text
    return Text("\n").join([*lines, Text(), *(Text("  ") + part for part in body.split("\n")), Text()])


def as_json(seen: Seen, *, repeated: bool = False) -> bytes:
    """An event as one JSON object for programs; sealed values as they are."""
    found: dict[str, Any] = {
        "position": seen.place if seen.record else None,
        "topic": seen.topic,
        "partition": seen.partition,
        "offset": seen.offset,
        "time": seen.time.isoformat(),
    }
    if seen.record:
        found |= {"type": seen.record.type, "stream": seen.record.stream, "version": seen.record.version}
        found |= {"metadata": seen.record.metadata.known(), "data": seen.data}
    else:
        found |= {"problem": seen.problem, "value_base64": base64.b64encode(seen.value or b"").decode()}
    return orjson.dumps({**found, "repeated": True} if repeated else found)


def clean(text: str) -> str:
    """Without anything that could steer a terminal."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _stream(seen: Seen, full: bool) -> str:
    name = clean(seen.record.stream) if seen.record else ""
    return name if full else _shortened(name)


def _shortened(name: str) -> str:
    """With eight characters of an id, as many as people compare."""
    return UUID.sub(r"\1", name)


def _wide(text: Text, width: int) -> Text:
    padded = text.copy()
    padded.append(" " * max(0, width - text.cell_len), "")
    return padded


def _fitted(text: Text, console: Console) -> Text:
    text.no_wrap = True
    text.rstrip()
    if console.is_terminal:
        text.truncate(console.width, overflow="ellipsis")
    return text


def _facts(seen: Seen, full: bool) -> Text:
    if seen.data is None:
        return Text.assemble((clean(seen.problem), "red"), "  ", (clean(_excerpt(seen.value, EXCERPT)), "dim"))
    shown = [(name, value) for name, value in seen.data.items() if _matters(name, value, seen.data)]
    shown.sort(key=lambda item: _is_personal(item[1]) - item[0].endswith("_cents"))
    facts = [Text.assemble((f"{_label(name)} ", "dim"), _fact(name, value, seen.data, full)) for name, value in shown]
    return Text("  ").join(facts)


def _matters(name: str, value: object, data: dict[str, Any]) -> bool:
    """Ids are in the stream's name, the person in what is sealed with his key."""
    if name == "person":
        return not any(map(_is_personal, data.values()))
    return (
        name not in HIDDEN and (not name.endswith("_id") or name == "external_id") and value not in (None, "", [], {})
    )


def _label(name: str) -> str:
    return clean(name).removesuffix("_cents").removesuffix("_number").removesuffix("_on").replace("_", " ")


def _fact(name: str, value: object, data: dict[str, Any], full: bool) -> Text:
    if _is_personal(value):
        return Text(_marker(value, full), "magenta")
    if name.endswith("_cents") and isinstance(value, int):
        sign, cents = "-" if value < 0 else "", abs(value)
        return Text(f"{sign}{cents // 100:,}.{cents % 100:02} {clean(str(data.get('currency', '')))}".rstrip(), "bold")
    if isinstance(value, dict):
        if set(value) == {"de", "en"}:
            return _fact(name, value["en"], data, full)
        inner = [Text.assemble(f"{clean(key)}=", _fact(key, item, data, full)) for key, item in value.items()]
        return Text(" ").join(inner)
    if isinstance(value, list):
        plain = all(isinstance(item, str) for item in value) and len(value) <= 3
        return (
            Text(", ".join(map(str, (_fact(name, item, data, full) for item in value))))
            if plain
            else Text(f"{len(value)}\N{MULTIPLICATION SIGN}")
        )
    if isinstance(value, bool) or value is None:
        return Text({True: "yes", False: "no", None: "\N{EN DASH}"}[value])
    text = clean(str(value)) if full else _shortened(clean(str(value)))
    return Text(text if full or len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}\N{HORIZONTAL ELLIPSIS}")


def _is_personal(value: object) -> bool:
    return as_box(value) is not None or _erased(value)


def _erased(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"erased"}


def _marker(value: Any, full: bool = True) -> str:
    """What stands in place of a personal value that is not shown."""
    word, person = ("erased", value["erased"]) if _erased(value) else ("sealed", value["sealed"])
    if word == "sealed" and not value["box"]:
        word = "erased"
    name = clean(str(person))
    return f"[{word} {name if full else _shortened(name)}]"


def _readable(value: Any) -> Any:
    """JSON for people: markers for sealed values, nothing that steers a terminal."""
    if _is_personal(value):
        return _marker(value)
    if isinstance(value, dict):
        return {clean(name): _readable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_readable(inner) for inner in value]
    return clean(value) if isinstance(value, str) else value


def _metadata(seen: Seen) -> dict[str, object]:
    found: dict[str, object] = {"topic": f"{seen.topic}, partition {seen.partition}, offset {seen.offset}"}
    if not seen.record:
        return {**found, "published": seen.time.isoformat(), "problem": seen.problem}
    metadata = seen.record.metadata
    known = {
        "type": seen.record.type,
        "stream": f"{seen.record.stream}, version {seen.record.version}",
        "time": seen.time.isoformat(),
        "actor": metadata.actor,
        "acted as": metadata.acted_as,
        "caused by": metadata.causation_id,
        "correlation": metadata.correlation_id,
        "trace": metadata.traceparent,
    }
    return {**{name: value for name, value in known.items() if value}, **found}


def _excerpt(value: bytes | None, length: int) -> str:
    return (value or b"")[: length * 4].decode("utf-8", "replace")[:length]
