"""Journeys as people write them, the first exactly as in the description of the format."""

import copy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_LOADED: dict[str, Any] = {}


def document(name: str) -> dict[str, Any]:
    """A document of this folder, to be changed at will."""
    if name not in _LOADED:
        path = Path(__file__).parent / f"{name}.yaml"
        _LOADED[name] = YAML(typ="safe", pure=True).load(path)
    loaded: dict[str, Any] = copy.deepcopy(_LOADED[name])
    return loaded
