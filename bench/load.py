"""A small HTTP/1.1 client that makes load, run as a process of its own: the same for Portico and its peers.

Reads a Load as JSON from standard input and prints a Report as JSON. Either as many requests as answers allow (each
connection sends the next when it has the answer), or a fixed rate: then a request has its time, whatever the answers
do, and its latency counts from that time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import cast

import uvloop

LIMIT_SECONDS = 60.0
LEAD_SECONDS = 0.2


@dataclass(frozen=True)
class Load:
    """What to send. In path, headers and body {id} is the next of `ids` and {key} is new for each request."""

    port: int
    method: str
    path: str
    headers: Mapping[str, str]
    expected: int
    connections: int
    seconds: float
    warm_up_seconds: float = 0.0
    body: str = ""
    ids: Sequence[str] = ("",)
    repeat_ids: bool = True
    rate: float | None = None
    host: str = "127.0.0.1"


@dataclass
class Report:
    """What came back. With a rate: (id, seconds since 1970 when it was due, seconds until the answer) of each."""

    answers: int = 0
    unexpected: int = 0
    seconds: float = 0.0
    sample: str = ""
    timed: list[tuple[str, float, float]] = field(default_factory=list)
    ids_used: int = 0

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds


class _Connection(asyncio.Protocol):
    """One request at a time; answers must say their Content-Length, or have no body."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        assert self._transport is not None  # noqa: S101 connected
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        if self._answer and not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        if self._transport:
            self._transport.close()


class _Requests:
    """Makes the bytes of one request after the other."""

    def __init__(self, load: Load) -> None:
        headers = {"Host": f"{load.host}:{load.port}", **load.headers}
        lines = [f"{load.method} {load.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if load.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(load.body.encode())}"]
        self._template = "\r\n".join([*lines, "", load.body])
        self._ids: Iterator[str] = cycle(load.ids) if load.repeat_ids else iter(load.ids)
        self.used = 0

    def next(self) -> tuple[str, bytes]:
        id_ = next(self._ids)
        self.used += 1
        return id_, self._template.replace("{id}", id_).replace("{key}", uuid.uuid4().hex).encode()


async def measure(load: Load) -> Report:
    """Sends the load and waits for the answers."""
    if "{id}" in load.body or "{key}" in load.body:
        raise ValueError("the body has a fixed length")
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(_Connection, load.host, load.port) for _ in range(load.connections)]
    connections = [protocol for _, protocol in pairs]
    requests, report = _Requests(load), Report()
    async with asyncio.timeout(load.warm_up_seconds + load.seconds + LIMIT_SECONDS):
        if load.warm_up_seconds:
            await _as_fast_as_answered(load, connections, requests, Report(), load.warm_up_seconds)
        if load.rate:
            await _on_schedule(load, connections, requests, report)
        else:
            await _as_fast_as_answered(load, connections, requests, report, load.seconds)
    for connection in connections:
        connection.close()
    report.ids_used = requests.used
    return report


def _count(load: Load, report: Report, status: int, body: bytes) -> None:
    if status == load.expected:
        report.answers += 1
    else:
        report.unexpected += 1
    if not report.sample or status != load.expected:
        report.sample = f"{status} {body[:2_000].decode(errors='replace')}"


async def _as_fast_as_answered(
    load: Load, connections: Sequence[_Connection], requests: _Requests, report: Report, seconds: float
) -> None:
    started = time.perf_counter()

    async def loop(connection: _Connection) -> None:
        while time.perf_counter() - started < seconds:
            try:
                _, request = requests.next()
            except StopIteration:
                return
            _count(load, report, *await connection.ask(request))

    await asyncio.gather(*(loop(connection) for connection in connections))
    report.seconds = time.perf_counter() - started


async def _on_schedule(load: Load, connections: Sequence[_Connection], requests: _Requests, report: Report) -> None:
    """Each request at its time on a free connection; when none is free it waits, and its latency goes on."""
    assert load.rate  # noqa: S101 checked by the caller
    free = deque(connections)
    freed = asyncio.Event()
    started, clock = time.perf_counter() + LEAD_SECONDS, time.time() + LEAD_SECONDS
    tasks: set[asyncio.Task[None]] = set()

    async def one(id_: str, request: bytes, due: float) -> None:
        while not free:
            freed.clear()
            await freed.wait()
        connection = free.popleft()
        _count(load, report, *await connection.ask(request))
        report.timed.append((id_, clock + due, time.perf_counter() - started - due))
        free.append(connection)
        freed.set()

    for number in range(int(load.rate * load.seconds)):
        due = number / load.rate
        id_, request = requests.next()
        await asyncio.sleep(max(0.0, started + due - time.perf_counter()))
        task = asyncio.create_task(one(id_, request, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    report.seconds = time.perf_counter() - started


async def send(load: Load) -> Report:
    """Runs the client as a process of its own. Raises RuntimeError when it fails or an answer is not as expected."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(json.dumps(asdict(load)).encode())
    if process.returncode:
        raise RuntimeError(f"the load generator ended with status {process.returncode}")
    report = Report(**json.loads(output))
    if report.unexpected or not report.answers:
        raise RuntimeError(f"{load.method} {load.path}: {report.unexpected} unexpected answers, e.g. {report.sample}")
    return report


def main() -> None:
    load = Load(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(measure(load)))))


if __name__ == "__main__":
    main()
