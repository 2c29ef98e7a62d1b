"""The lines of docs/portal-gateway.md run, one after the other, as somebody would who follows it on a fresh Portico."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stack.background import started
from cli.stack.state import State

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "portal-gateway.md"
LIMIT_SECONDS = 100


def script() -> str:
    """All shell blocks of the page; each says where it begins, so that a failure shows its place."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(f"echo '--- block {number}' >&2\n{block}" for number, block in enumerate(blocks, start=1))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_line_runs(state: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PORTICO_", "PG"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    with started(State(state), "--port-base", "0"):
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{script()}"],
            cwd=ROOT,
            env={**clean, "PATH": path, "PORTICO_STATE_DIR": str(state)},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
    for part in ('"status":"check_mailbox"', "304\n", "invalid_answers", "We have your cancellation."):
        assert part in done.stdout, part


def test_there_is_something_to_run() -> None:
    assert script().count("--- block") >= 8
    assert script().count("curl ") >= 5
