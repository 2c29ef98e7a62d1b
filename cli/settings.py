"""Settings for commands: what is missing or wrong in the environment becomes a sentence instead of a traceback."""

from typing import Any

from pydantic import ValidationError

from chassis.settings import Settings
from cli.problem import Problem


def load_settings(**given: Any) -> Settings:
    """The settings of the environment; `given` ones win."""
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = [f"PORTICO_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()]
        raise Problem("Some settings are missing or wrong.", "\n".join(faults)) from error
