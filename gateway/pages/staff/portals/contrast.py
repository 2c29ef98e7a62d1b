"""Whether text in or on a colour can be read, for the preview of colours that nobody has saved yet (WCAG 2.2, 1.4.3).

What is used in the portals comes from the portal's API; scripts/design-preview.js reckons the same in the browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

READABLE = 4.5
WHITE, BLACK = "#ffffff", "#000000"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
STEPS = 20


@dataclass(frozen=True)
class Swatch:
    """A colour, the text on it, and the colour as text on white: itself, or darker."""

    colour: str
    on: str
    text: str

    @property
    def on_ratio(self) -> float:
        return contrast(self.colour, self.on)

    @property
    def white_ratio(self) -> float:
        return contrast(self.colour, WHITE)

    @property
    def is_readable(self) -> bool:
        """Whether it can be text on white as it is."""
        return self.white_ratio >= READABLE


def swatch(colour: str, otherwise: str) -> Swatch:
    """The swatch of a colour; of the other one where it is none."""
    colour = colour if COLOUR.fullmatch(colour) else otherwise
    on = WHITE if contrast(colour, WHITE) >= READABLE else BLACK
    shades = (_darkened(colour, 1 - step / STEPS) for step in range(STEPS + 1))
    return Swatch(colour, on, next(shade for shade in shades if contrast(shade, WHITE) >= READABLE))


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _darkened(colour: str, share: float) -> str:
    if share >= 1:
        return colour
    return "#" + "".join(f"{round(channel * share):02x}" for channel in _channels(colour))
