"""How a person calls `portico` from where he stands: by its name, or by the path to it."""

import shutil
import sys
from pathlib import Path


def portico() -> str:
    """`portico` when the shell finds it, otherwise its path, relative where it lies below this folder."""
    if shutil.which("portico"):
        return "portico"
    command = Path(sys.executable).parent / "portico"
    here = Path.cwd()
    return str(command.relative_to(here) if command.is_relative_to(here) else command)
