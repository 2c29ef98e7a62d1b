"""Whatever brand colour a portal sets, text can be read in light and dark: the tokens are worked out as browsers do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from math import atan2, cos, hypot, radians, sin
from pathlib import Path

import pytest

import gateway
from services.portal.configuration.colours import palette

TOKENS = Path(gateway.__file__).parent / "styles" / "tokens.css"
BRANDS = {
    "Stadtwerke Lindenau": "#0B6E4F",
    "Netz Lindenau": "#1D4F91",
    "yellow": "#FFD400",
    "amber": "#F2A900",
    "lime": "#9BE600",
    "cyan": "#00B5E2",
    "pure blue": "#0000FF",
    "magenta": "#E6007E",
    "red": "#E2001A",
    "grey": "#777777",
    "near-black": "#101010",
    "near-white": "#F7F7F5",
}
SURFACES = ("paper", "surface", "sunken", "raised")
KINDS = ("positive", "warning", "critical", "info")
MIXED = {
    "neutral chip": "color-mix(in oklab, var(--line) 60%, var(--surface))",
    "overdue row": "color-mix(in oklab, var(--critical-tint) 55%, var(--surface))",
}
TEXT, SHAPE = 4.5, 3.0

Colour = tuple[float, float, float]
"""OKLab: lightness from 0 to 1, a, b."""


def pairs() -> Iterator[tuple[str, str, float]]:
    """What is set on what in the components, and the contrast it needs (WCAG 2.2, 1.4.3 and 1.4.11)."""
    for surface in SURFACES:
        yield from ((text, surface, TEXT) for text in ("ink", "ink-soft", "link", *KINDS))
        yield from ((shape, surface, SHAPE) for shape in ("line-strong", "link"))
    for kind in KINDS:
        yield from ((text, f"{kind}-tint", TEXT) for text in ("ink", kind))
        yield f"{kind}-tint", kind, SHAPE
    yield from ((text, "tint", TEXT) for text in ("ink", "ink-soft", "link"))
    yield from (("fill-on", fill, TEXT) for fill in ("fill", "fill-hover"))
    yield from ((text, "overdue row", TEXT) for text in ("ink", "link", "critical", "ink-soft"))
    yield "ink-soft", "neutral chip", TEXT
    yield "critical-on", "critical-fill", TEXT
    yield "signal-on", "signal", TEXT
    yield "surface", "link", SHAPE


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("brand", BRANDS.values(), ids=BRANDS.keys())
def test_text_can_be_read_whatever_the_brand(brand: str, scheme: str) -> None:
    found = tokens(brand)
    unreadable = [
        f"{text} on {ground}: {ratio:.2f} < {least}"
        for text, ground, least in pairs()
        if (ratio := contrast(value(text, found, scheme), value(ground, found, scheme))) < least
    ]
    assert unreadable == []


@pytest.mark.parametrize("brand", BRANDS.values(), ids=BRANDS.keys())
def test_a_filled_button_stands_out_in_the_dark(brand: str) -> None:
    found = tokens(brand)
    for ground in SURFACES:
        assert contrast(value("fill", found, "dark"), value(ground, found, "dark")) >= SHAPE


CHROMIUM = {"paper": "#f3f8f6", "link": "#85d8b4", "fill-hover": "#07593f", "tint": "#1b372b"}
"""Read from a canvas in Chromium 156, with the colour of Stadtwerke Lindenau."""


def test_the_colours_are_worked_out_as_a_browser_does() -> None:
    found = tokens("#0B6E4F")
    schemes = {"paper": "light", "link": "dark", "fill-hover": "light", "tint": "dark"}
    assert {name: hex_of(value(name, found, scheme)) for name, scheme in schemes.items()} == CHROMIUM


@cache
def declared() -> Mapping[str, str]:
    root = TOKENS.read_text(encoding="utf-8").partition(":root {")[2].partition("\n}")[0]
    return {**dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", root)), **MIXED}


def tokens(brand: str) -> Mapping[str, str]:
    """All tokens of a portal with this brand colour, as its API works out what is set on it."""
    colours = palette(brand.lower())
    given = {"brand": colours.colour, "brand-on": colours.on, "brand-text": colours.text}
    return {**declared(), **given, **{name.replace("brand", "accent"): each for name, each in given.items()}}


def value(name: str, found: Mapping[str, str], scheme: str) -> Colour:
    return colour(found[name], found, scheme)


def colour(text: str, found: Mapping[str, str], scheme: str) -> Colour:
    """A CSS colour of the kinds that tokens.css uses. Raises ValueError for any other."""
    text = text.strip()
    if text.startswith("#"):
        return oklab(tuple(int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)))
    name, _, inner = text.partition("(")
    inner = inner.removesuffix(")")
    match name:
        case "var":
            return colour(found[inner.strip().removeprefix("--")], found, scheme)
        case "light-dark":
            return colour(split(inner, ",")[scheme == "dark"], found, scheme)
        case "color-mix":
            _, first, second = split(inner, ",")
            part, share = first.rsplit(" ", 1)
            one, other = colour(part, found, scheme), colour(second, found, scheme)
            weight = float(share.removesuffix("%")) / 100
            return shown(tuple(weight * a + (1 - weight) * b for a, b in zip(one, other, strict=True)))
        case "oklch":
            return oklch(inner, found, scheme)
    raise ValueError(text)


def oklch(inner: str, found: Mapping[str, str], scheme: str) -> Colour:
    parts = split(inner, " ")
    known = {"l": 0.0, "c": 0.0, "h": 0.0}
    if parts[0] == "from":
        lightness, a, b = colour(parts[1], found, scheme)
        known = {"l": lightness, "c": hypot(a, b), "h": atan2(b, a)}
        parts = parts[2:]
    lightness, chroma = figure(parts[0], known), figure(parts[1], known)
    hue = known["h"] if parts[2] == "h" else radians(figure(parts[2], known))
    return shown((lightness, chroma * cos(hue), chroma * sin(hue)))


def figure(text: str, known: Mapping[str, float]) -> float:
    if text in known:
        return known[text]
    name, _, inner = text.partition("(")
    match name:
        case "min" | "max":
            figures = [figure(part.strip(), known) for part in split(inner.removesuffix(")"), ",")]
            return min(figures) if name == "min" else max(figures)
        case "calc":
            first, minus, second = inner.removesuffix(")").split()
            assert minus == "-"
            return figure(first, known) - figure(second, known)
    return float(text)


def split(text: str, separator: str) -> list[str]:
    """Parts between separators that are in no brackets."""
    parts, depth = [""], 0
    for character in text.strip():
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def oklab(srgb: tuple[float, ...]) -> Colour:
    """From sRGB of 0 to 1 (Ottosson, "A perceptual color space for image processing")."""
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in srgb)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def linear(lab: tuple[float, ...]) -> Colour:
    """To linear sRGB, cut to what a screen shows."""
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return _cut(red), _cut(green), _cut(blue)


def _cut(channel: float) -> float:
    return min(max(channel, 0.0), 1.0)


def srgb(lab: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(12.92 * each if each <= 0.0031308 else 1.055 * each ** (1 / 2.4) - 0.055 for each in linear(lab))


def shown(lab: tuple[float, ...]) -> Colour:
    return oklab(srgb(lab))


def hex_of(lab: Colour) -> str:
    return "#" + "".join(f"{round(each * 255):02x}" for each in srgb(lab))


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2, from 1 to 21."""
    lights = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (linear(one), linear(other))]
    return (max(lights) + 0.05) / (min(lights) + 0.05)
