"""Examples of everything that was ever published, and a record to put them in."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.envelope import Metadata, Record
from contracts.ids import Position

FIXTURES = Path(__file__).parent / "fixtures"


def examples() -> dict[str, list[dict[str, Any]]]:
    """By type: values as they were published. A file only ever grows."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.json"))}


def record(
    position: Position,
    *,
    type_: str = "portico.billing.InstalmentChanged.v1",
    stream: str = "instalments/1",
    metadata: Metadata | None = None,
    data: bytes = b"{}",
) -> Record:
    time = datetime(2026, 11, 21, 12, 0, 0, 120_000, tzinfo=UTC)
    return Record(position, stream, position.sequence, type_, time, metadata or Metadata(), data)
