"""What a person is told to type works where he stands."""

import sys
from pathlib import Path

import pytest

from cli.invocation import portico


def test_by_its_name_where_the_shell_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert portico() == "portico"


def test_by_its_path_where_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    binaries = Path(sys.executable).parent
    monkeypatch.chdir(binaries.parent)
    assert portico() == f"{binaries.name}/portico"
    monkeypatch.chdir("/")
    assert (Path("/") / portico()).exists()
