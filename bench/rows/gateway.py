"""What a browser feels: a page of the web gateway at a steady rate, and how much comes with it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
from rich.console import Console

from bench.harness import Contender, Figure, Row, percentile
from bench.load import Load, send
from bench.scene import Scene
from cli.stack.background import started
from cli.stack.gateway import site_url
from cli.stack.state import Record, State
from cli.story.account import Terminal
from cli.story.registration import known_customer_registers, prepare
from cli.story.stage import Place, set_up
from cli.story.utility import PORTAL

PAGES_A_SECOND = 50
CONNECTIONS = 32
LINKED = re.compile(r'(?:href|src)="(/assets/[^"]+\.(?:css|js))"')


@asynccontextmanager
async def _gateway(scene: Scene) -> AsyncIterator[Sequence[Contender]]:
    with started(State(scene.folder / "gateway"), "--port-base", "0") as record:
        path, headers = await _signed_in(record)
        kilobytes = await _weight(record, path, headers)

        async def once() -> Sequence[float]:
            page = Load(
                port=record.ports["gateway"],
                method="GET",
                path=path,
                headers=headers,
                expected=200,
                connections=CONNECTIONS,
                seconds=scene.sizes.latency_seconds,
                rate=PAGES_A_SECOND,
            )
            answered = [latency * 1_000 for _, _, latency in (await send(page)).timed]
            return percentile(answered, 50), percentile(answered, 95), kilobytes

        yield (Contender("Portico", once),)


async def _signed_in(record: Record) -> tuple[str, dict[str, str]]:
    """The page of Anna's contract, and the headers of her browser."""
    async with set_up(Place.of(record), Terminal(Console(quiet=True))) as stage:
        scene = await prepare(stage)
        await known_customer_registers(stage, scene)
        session = (await scene.portal.sign_in(scene.anna, "ready"))["session"]
    host = urlsplit(site_url(PORTAL, record.ports)).netloc
    return f"/contracts/{scene.contract_id}", {
        "Host": host,
        "Cookie": f"__Host-session={session}",
        "Accept-Encoding": "gzip",
    }


async def _weight(record: Record, path: str, headers: dict[str, str]) -> float:
    """Kilobytes that come over the wire for the page with its styles and scripts, pictures left out."""
    base = f"http://127.0.0.1:{record.ports['gateway']}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=20) as client:
        page = await client.get(path)
        page.raise_for_status()
        parts = [page, *[await client.get(linked) for linked in LINKED.findall(page.text)]]
    return sum(part.num_bytes_downloaded for part in parts) / 1024


ROWS = (
    Row(
        "gateway",
        "A contract's page in the web gateway",
        f"{PAGES_A_SECOND} a second, signed in; timed from when each was due to the whole answer",
        (
            Figure("p50 answered", "ms", lower_is_better=True),
            Figure("p95 answered", "ms", lower_is_better=True, at_most=60),
            Figure("page, styles and scripts", "KB", lower_is_better=True, at_most=60),
        ),
        _gateway,
    ),
)
