"""How long and how varied the guarantees are tested: short in `make test`, long and random in `make guarantees`."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

LONG = os.environ.get("PORTICO_GUARANTEES") == "long"
#: Tests that repeat themselves share a part of this in the long form; the others take their time once, the rest of it.
SECONDS = float(os.environ.get("PORTICO_GUARANTEES_SECONDS") or 600)
SEED = int(os.environ.get("PORTICO_SEED") or random.SystemRandom().randrange(10**6))
SHARE = 0.35
REPEATING_TESTS = 18


@dataclass
class Plan:
    """What is random in one test, how often it repeats itself, and the figures it reports."""

    name: str
    rng: random.Random = field(init=False)
    figures: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{SEED}:{self.name}")

    def rounds(self, short: int = 1) -> Iterator[int]:
        """So many rounds in the short form; in the long form as many as there is time for, and at least as many."""
        ends = time.monotonic() + SECONDS * SHARE / REPEATING_TESTS
        number = 0
        while number < short or (LONG and time.monotonic() < ends):
            yield number
            number += 1
        self.figures["rounds"] = number

    def some(self, short: int, long: int) -> int:
        return long if LONG else short

    def tell(self, **figures: object) -> None:
        """Figures for the summary at the end of the run; times in seconds with one digit."""
        for name, figure in figures.items():
            self.figures[name.replace("_", " ")] = f"{figure:.2f}" if isinstance(figure, float) else figure
