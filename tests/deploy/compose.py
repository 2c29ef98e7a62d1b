"""docker-compose.yml as Compose reads it when nothing is set in the environment."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)}")


def compose(given: dict[str, str] | None = None) -> dict[str, Any]:
    """The file with its variables replaced: by what is given, else by their defaults."""
    values = given or {}
    text = (ROOT / "docker-compose.yml").read_text()
    filled = VARIABLE.sub(lambda found: values.get(found["name"], found["default"]), text)
    content: dict[str, Any] = yaml.safe_load(filled)
    return content


def environment(service: str, given: dict[str, str] | None = None) -> dict[str, str]:
    found: dict[str, str] = compose(given)["services"][service].get("environment", {})
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in found.items()}
