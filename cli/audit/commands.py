"""The commands of `portico audit`: verify, export and key."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from cli.audit.audit import Report, audit_logs, audit_topics
from cli.audit.export import INSTRUCTIONS, Period, export_logs
from cli.audit.place import log_urls, services_named
from cli.audit.verify import Verdict
from cli.events.place import find_place
from cli.events.since import parse_since
from cli.problem import Problem
from contracts.ids import Position

app = typer.Typer(help="Verify that history is what it was, and export it.", no_args_is_help=True, add_completion=False)

Services = Annotated[list[str] | None, typer.Option("--service", help="Only of this service; may be repeated.")]


@app.command()
def verify(
    *,
    service: Services = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    from_topic: Annotated[
        bool, typer.Option("--from-topic", help="Verify the topics instead of the logs: needs no database.")
    ] = False,
    anchors: Annotated[
        bool, typer.Option("--anchors/--no-anchors", help="Compare with the seals on the topic as well.")
    ] = True,
    public_key: Annotated[
        list[str] | None,
        typer.Option(envvar="PORTICO_SEAL_PUBLIC_KEY", help="base64; seals must be signed. May be repeated."),
    ] = None,
) -> None:
    """Recompute all seals. Exits with 1 and names the first position of each shard that does not fit."""
    keys = [_public_key(text) for text in public_key or ()]
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(chain: str, total: int, count: int) -> None:
            task = tasks.get(chain)
            if task is None:
                task = tasks[chain] = bar.add_task(chain, total=total)
            bar.advance(task, count)

        if from_topic:
            report = asyncio.run(audit_topics(services_named(service), find_place(), keys, progress))
        else:
            place = find_place() if anchors else None
            report = asyncio.run(audit_logs(log_urls(service), place, keys, progress))
    if as_json:
        sys.stdout.write(json.dumps(_as_json(report), indent=2) + "\n")
    else:
        _show(Console(highlight=False), report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    service: Services = None,
    since: Annotated[str, typer.Option(help="Events from here on: 30d, or 2026-11-21 (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Events before this time.")] = "",
) -> None:
    """Write events and seals as JSON lines that can be verified without Portico."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Problem(f"{folder} is not an empty folder.")
    period = Period(_time(since), _time(until))
    urls = log_urls(service)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "VERIFY.txt").write_text(INSTRUCTIONS, encoding="utf-8")
    count = asyncio.run(export_logs(urls, folder, period))
    typer.echo(f"{count:,} events with their seals are in {folder}; VERIFY.txt there says how to verify them.")


@app.command()
def key() -> None:
    """Print a new key that signs seals, and its public half that verifies them."""
    private = Ed25519PrivateKey.generate()
    typer.echo(f"PORTICO_SEAL_KEY={base64.b64encode(private.private_bytes_raw()).decode()}")
    typer.echo(f"PORTICO_SEAL_PUBLIC_KEY={base64.b64encode(private.public_key().public_bytes_raw()).decode()}")


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise Problem(f"{text!r} is not a public key.", "It is base64 of 32 bytes: `portico audit key`.") from error


def _time(text: str) -> datetime | None:
    if not text:
        return None
    found = parse_since(text, datetime.now(UTC))
    if isinstance(found, Position):
        raise Problem(f"{text} is a position.", "An export begins and ends at a time.")
    return found


def _as_json(report: Report) -> dict[str, Any]:
    return {"ok": report.ok, "unreadable_anchors": report.unreadable, "shards": [*map(_shard, report.verdicts)]}


def _shard(verdict: Verdict) -> dict[str, Any]:
    finding = verdict.finding
    return {
        "service": verdict.service,
        "shard": verdict.shard,
        "events": verdict.events,
        "begins": verdict.begins,
        "sealed_to": verdict.sealed_to,
        "anchored_to": verdict.anchored_to,
        "signed_to": verdict.signed_to,
        "seals_without_anchor": verdict.not_anchored,
        "finding": finding
        and {
            "position": f"{verdict.chain}:{finding.sequence}",
            "until": f"{verdict.chain}:{finding.until}" if finding.until else None,
            "what": finding.what,
            "explanation": finding.explanation,
        },
    }


def _show(console: Console, report: Report) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("Shard", "Events", "Sealed to", "Anchored to", "Signed to", "Verdict"):
        table.add_column(name, justify="left" if name in ("Shard", "Verdict") else "right")
    for verdict in report.verdicts:
        figures = (verdict.events, verdict.sealed_to, verdict.anchored_to, verdict.signed_to)
        table.add_row(verdict.chain, *(f"{figure:,}" for figure in figures), _verdict(verdict))
    console.print(table)
    for verdict in report.verdicts:
        if finding := verdict.finding:
            until = f" to {finding.until:,}" if finding.until else ""
            place = f"{verdict.chain}:{finding.sequence}{until}"
            console.print(f"[bold red]{place}: {finding.what}.[/] {escape(finding.explanation)}.", soft_wrap=True)
    for note in _notes(report):
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
    if report.ok:
        events = sum(verdict.events for verdict in report.verdicts)
        console.print(f"[green]{events:,} events are what they were when they were sealed.[/]")


def _verdict(verdict: Verdict) -> str:
    return f"[red]{verdict.finding.what}[/]" if verdict.finding else "[green]fits[/]"


def _notes(report: Report) -> list[str]:
    fitting = [verdict for verdict in report.verdicts if not verdict.finding]
    found = [
        f"{one.chain}: events before {one.begins:,} are older than the chain; only their numbers were verified."
        for one in fitting
        if one.begins > 1
    ]
    if missing := sum(verdict.not_anchored for verdict in fitting):
        found.append(f"{missing:,} seals have no anchor on the topic: they were verified against the database alone.")
    if report.unreadable:
        found.append(f"{report.unreadable:,} records of the topic are no seals.")
    return found
