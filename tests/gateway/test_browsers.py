"""Where the browser of the tests comes from: the machine, or it is installed; without one they fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.gateway import browsers

DEBIAN = [["apt-get", "update"], ["apt-get", "install", "chromium"]]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A machine without a browser; what `works` there brings one."""
    known: dict[str, Any] = {"ran": [], "works": ["apt-get", "install", "chromium"], "browser": None}

    def run(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        known["ran"].append(command)
        if command == known["works"]:
            known["browser"] = "/usr/bin/chromium"
        failed = command[-1] == "chromium" and command != known["works"]
        return subprocess.CompletedProcess(command, int(failed), "", "no such package" if failed else "")

    monkeypatch.delenv("PORTICO_TEST_CHROMIUM", raising=False)
    monkeypatch.setattr(browsers, "_on_the_machine", lambda: known["browser"])
    monkeypatch.setattr(browsers, "_by_debian", lambda: DEBIAN)
    monkeypatch.setattr(subprocess, "run", run)
    return known


def test_what_is_there_is_taken(machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    machine["browser"] = "/opt/chrome"
    assert browsers.find_chromium() == "/opt/chrome"
    monkeypatch.setenv("PORTICO_TEST_CHROMIUM", "/mine")
    assert browsers.find_chromium() == "/mine"
    assert machine["ran"] == []


def test_debians_package_is_installed_and_said(machine: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert browsers.find_chromium() == "/usr/bin/chromium"
    assert machine["ran"] == DEBIAN
    assert "installing one" in capsys.readouterr().err


def test_playwrights_own_comes_next(machine: dict[str, Any]) -> None:
    machine["works"] = [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]
    assert browsers.find_chromium() == "/usr/bin/chromium"
    assert machine["ran"] == [*DEBIAN, machine["works"]]


def test_without_any_the_tests_fail(machine: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    machine["works"] = None
    with pytest.raises(RuntimeError, match="PORTICO_TEST_CHROMIUM"):
        browsers.find_chromium()
    assert "no such package" in capsys.readouterr().err
