"""Colours of a portal: whether text in or on them can be read, and what is used where it cannot (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

READABLE = 4.5
WHITE, BLACK = "#ffffff", "#000000"
STEPS = 20


@dataclass(frozen=True, slots=True)
class Palette:
    """What a colour comes with: `on` is the text on it, `text` the colour itself or a darker one for text on white."""

    colour: str
    on: str
    text: str
    contrast_to_white: float

    @property
    def readable(self) -> bool:
        return self.text == self.colour


def palette(colour: str) -> Palette:
    """White text on a colour, or black where white cannot be read; darkened until it can be read on white itself."""
    contrast = contrast_of(colour, WHITE)
    on = WHITE if contrast >= READABLE else BLACK
    darker = (_darkened(colour, 1 - step / STEPS) for step in range(STEPS + 1))
    text = next(each for each in darker if contrast_of(each, WHITE) >= READABLE)
    return Palette(colour, on, text, contrast)


def contrast_of(one: str, other: str) -> float:
    """The contrast ratio of two colours such as #0b6e4f, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _darkened(colour: str, share: float) -> str:
    return "#" + "".join(f"{round(channel * share):02x}" for channel in _channels(colour)) if share < 1 else colour
