"""A full disk on append is a clear refusal (503, try again) without any damage; with room again all goes on."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from cli.stack.postgres import SYSTEM_ACCOUNT
from tests.guarantees.harness import ALL, Process, World, make_topics, world
from tests.guarantees.plan import Plan
from tests.guarantees.proof import prove
from tests.guarantees.servers import own_postgres

DISK_MB = 4
LEFT_BYTES = 48 * 1024
COUNTERS = 40
MAXIMUM_COMMANDS = 5_000


async def test_a_tablespace_without_room(kafka_servers: str, folder: Path, plan: Plan) -> None:
    async with own_postgres(folder) as server:
        with small_disk(folder / "disk") as disk, world(server.address, kafka_servers, folder) as made:
            await make_topics(made.settings)
            with psycopg.connect(server.address, autocommit=True) as admin:
                admin.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(disk / "data"))))
                admin.execute("ALTER TABLE billing.events SET TABLESPACE small")
            service = await made.start(ALL).ready()
            others = disk / "somebody-else"
            others.write_bytes(b"0" * (shutil.disk_usage(disk).free - LEFT_BYTES))
            plan.tell(**await refused_and_mended(made, service, others.unlink))


async def test_a_server_that_says_so(our_world: World, plan: Plan) -> None:
    """Where no disk can be filled: the server raises the same error by a trigger."""
    service = await our_world.start(ALL).ready()
    with our_world.connect() as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        connection.execute("CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk()")
        plan.tell(
            **await refused_and_mended(
                our_world, service, lambda: connection.execute("DROP TRIGGER full_disk ON events")
            )
        )


async def refused_and_mended(made: World, service: Process, mend: Callable[[], object]) -> dict[str, object]:
    """Commands until one is refused and a while longer; then room is made, and all that was accepted is there."""
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        accepted = 0
        for number in range(MAXIMUM_COMMANDS):
            answer = await client.post(f"/counters/{number % COUNTERS}")
            if answer.status_code != 200:
                break
            accepted += 1
        refusals = [answer] + [await client.post(f"/counters/{number}") for number in range(10)]
        for refusal in refusals:
            assert refusal.status_code in {200, 503}, refusal.text
            if refusal.status_code == 503:
                assert refusal.headers["content-type"] == "application/problem+json"
                assert refusal.json()["code"] == "unavailable"
                assert int(refusal.headers["retry-after"]) > 0
        assert "No space left on device" in service.said()
        refused = sum(refusal.status_code == 503 for refusal in refusals)
        assert refused
        accepted += len(refusals) - refused
        mend()
        for number in range(COUNTERS):
            assert (await client.post(f"/counters/{number}")).status_code == 200
    proof = await prove(made)
    assert proof.events == 2 * (accepted + COUNTERS)
    return {"accepted": accepted, "refused": refused}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes, where that can be had."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "portico-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs root")
    try:
        (folder / "data").mkdir()
        shutil.chown(folder / "data", SYSTEM_ACCOUNT)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
