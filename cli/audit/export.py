"""What an auditor takes away: events and seals as JSON lines, and how to verify them without Portico."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from chassis.seals import EPOCH
from cli.audit.claims import Claims, open_claims
from cli.audit.history import LogHistory, Shard, Stored, open_log
from contracts.seal import FORM, Seal, instant

INSTRUCTIONS = f"""\
What this is
  For each shard of each service two files of JSON lines, e.g. billing-2.events.jsonl and billing-2.seals.jsonl.

How to verify it
  With Python 3 and nothing else, with examples/verify_seals.py of Portico's sources:  python3 verify_seals.py FOLDER
  Seals kept elsewhere (the topic `portico.seals`, a file of your own) are given as further files of JSON lines; of an
  export that ends with --until, only those that are not younger.

Or with a program of your own
  A chain begins with SHA-256("{FORM} SERVICE/SHARD:0"), the text in ASCII. Where the first seal has a `first`
  above 1, that 0 is `first` - 1. Where the events begin after `last` of the first seal, the chain goes on from it.
  The link of each event, in the order of `sequence`, is SHA-256 of these bytes in a row, numbers big-endian:
    the link before (32 bytes)
    sequence (8 bytes, signed), version (4, signed), microseconds (8, signed: UTC since 1970)
    the lengths in bytes of stream, type, metadata, data (4 each, unsigned)
    stream, type, metadata, data as UTF-8
  A seal says what the link of its event `last` is. All seals must fit, and sequences must have no gap.
  A signature is Ed25519 over the ASCII text  "{FORM} SERVICE/SHARD:FIRST-LAST SEAL SEALED_AT".
"""


@dataclass(frozen=True, slots=True)
class Period:
    """From a time up to, but not including, another."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The events to export and the seals that prove them; the first seal may be the one that they go on from."""

    first: int
    last: int
    seals: list[Seal]


async def export_logs(urls: Mapping[str, str], folder: Path, period: Period) -> int:
    """Writes the files into an existing folder and returns how many events are in them."""
    count = 0
    for service, url in urls.items():
        async with open_log(service, url) as log:
            with open_claims() as claims:
                await claims.add_table(log)
                for shard in await log.shards():
                    count += await _export(log, shard, claims, folder, period)
    return count


async def _export(log: LogHistory, shard: Shard, claims: Claims, folder: Path, period: Period) -> int:
    found = await log.span(shard.number, period.since, period.until)
    if found is None:
        return 0
    part = _part(claims, log.service, shard.number, *found)
    name = f"{log.service}-{shard.number}"
    with (folder / f"{name}.seals.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(seal.model_dump_json() + "\n" for seal in part.seals)
    count = 0
    with (folder / f"{name}.events.jsonl").open("w", encoding="utf-8") as file:
        async for page in log.pages(Shard(shard.number, shard.head, shard.cursor, part.last), part.first):
            file.writelines(json.dumps(_line(event)) + "\n" for event in page)
            count += len(page)
    return count


def _part(claims: Claims, service: str, shard: int, first: int, last: int) -> Part:
    """Widens a span of events to where seals end."""
    before: Seal | None = None
    seals: list[Seal] = []
    for claim in claims.of(service, shard):
        if claim.seal.last < first:
            before = claim.seal
        elif claim.seal.first <= last:
            seals.append(claim.seal)
    start = before.last + 1 if before else min(first, claims.begins(service, shard))
    end = max([last, *(seal.last for seal in seals)])
    return Part(start, end, [*([before] if before else []), *seals])


def _line(event: Stored) -> dict[str, object]:
    """Bytes that are no UTF-8 (which Portico never writes) are escaped, so that they come out as they were."""
    data = event.data.decode("utf-8", "surrogateescape")
    line: dict[str, object] = {**asdict(event), "data": data}
    with suppress(OverflowError):
        line["time"] = instant(EPOCH + timedelta(microseconds=event.microseconds))
    return line
