"""A virus scanner, where one is set: any command that reads a file and answers by how it ends."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from chassis.errors import Rejected, Unavailable

SCAN_SECONDS = 60
CLEAN = 0
INFECTED = 1


@dataclass(frozen=True)
class Scanner:
    """`command` gets the bytes on its standard input and ends with 0 (clean) or 1 (infected); empty: no scanner."""

    command: str

    async def scan(self, pieces: Iterable[bytes]) -> None:
        """Raises Rejected for an infected file, and Unavailable when the scanner does not say."""
        if not self.command:
            return
        nothing = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(self.command), stdin=asyncio.subprocess.PIPE, stdout=nothing, stderr=nothing
            )
        except OSError as error:
            raise Unavailable(f"the virus scanner cannot be started: {error}") from error
        try:
            async with asyncio.timeout(SCAN_SECONDS):
                await _feed(process, pieces)
                ended = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        if ended == INFECTED:
            raise Rejected("invalid_file_infected")
        if ended != CLEAN:
            raise Unavailable(f"the virus scanner ended with {ended}")


async def _feed(process: asyncio.subprocess.Process, pieces: Iterable[bytes]) -> None:
    """Gives the bytes to the scanner, which may have seen enough before the end."""
    assert process.stdin is not None  # noqa: S101 it was started with a pipe
    with suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            process.stdin.write(piece)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
