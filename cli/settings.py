"""Settings for commands: what is missing or wrong in the environment becomes a sentence instead of a traceback."""

from typing import Any

from pydantic import ValidationError

from chassis.settings import Settings, faults
from cli.problem import Problem


def load_settings(**given: Any) -> Settings:
    """The settings of the environment; `given` ones win."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise Problem("Some settings are missing or wrong.", faults(error)) from error
