"""Signing keys in their table: encrypted, rotated by time, the same for all instances."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from chassis.auth import Principal, TokenVerifier, Unauthenticated, issue
from chassis.database import open_pool
from chassis.errors import Rejected
from chassis.keyring import MemoryKeyring, Sealer, WrongMasterKey
from chassis.postgres_log import PostgresLog
from chassis.provision import provision_database
from chassis.streams import Streams
from contracts.envelope import Metadata
from services.identity.signing_keys.decider import KEPT, LEAD, MAXIMUM_AGE, SIGNING_KEYS, STREAM_ID
from services.identity.signing_keys.vault import SigningVault

MASTER_KEY = b"m" * 32
CLAIMS = Principal("erp", "machine/1").claims()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    url = provision_database(fresh_database, {"identity": "identity-secret"}, 4)["identity"]
    async with open_pool(url, connections=12) as pool:
        yield pool


async def instance(pool: AsyncConnectionPool[Any], clock: Clock, master_key: bytes = MASTER_KEY) -> SigningVault:
    streams = Streams(await PostgresLog.connect("identity", pool), Sealer(MemoryKeyring()), clock)
    return SigningVault(pool, streams, master_key)


async def published(vault: SigningVault) -> list[str]:
    vault._read_at = float("-inf")
    return [key["kid"] for key in (await vault.jwks())["keys"]]


async def test_instances_that_start_at_once_agree_on_the_first_key(
    pool: AsyncConnectionPool[Any], clock: Clock
) -> None:
    vaults = [await instance(pool, clock) for _ in range(6)]
    signers = await asyncio.gather(*(vault.signer() for vault in vaults))
    assert len({key.kid for key in signers}) == 1
    assert {tuple(await published(vault)) for vault in vaults} == {(signers[0].kid,)}
    token = issue(signers[0], CLAIMS, timedelta(minutes=1))
    for vault in vaults:
        assert await TokenVerifier(vault).verify(token)


async def test_a_life_of_keys(pool: AsyncConnectionPool[Any], clock: Clock) -> None:
    one, other = await instance(pool, clock), await instance(pool, clock)
    first = (await one.signer()).kid
    clock.now += MAXIMUM_AGE
    await one.tend()
    _, second = await published(other)
    assert (await other.signer()).kid == first, "the new key is known before it signs"
    clock.now += LEAD
    assert (await other.signer()).kid == second
    assert await published(other) == [first, second]
    clock.now += KEPT
    await other.tend()
    assert await published(one) == [second]
    assert (await one.signer()).kid == second
    state = (await one._streams.load(SIGNING_KEYS, STREAM_ID)).state
    assert [key.key_id for key in state.keys] == [second], "table and history say the same"


async def test_concurrent_rotations_add_one_key(pool: AsyncConnectionPool[Any], clock: Clock) -> None:
    vaults = [await instance(pool, clock) for _ in range(4)]
    await vaults[0].signer()
    results = await asyncio.gather(*(vault.rotate(False, Metadata()) for vault in vaults), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Rejected)]
    assert [rejected.code for rejected in refused] == ["signing_key_waits_already"] * 3
    assert len(await published(vaults[0])) == 2


async def test_after_a_leak_no_earlier_token_is_accepted(pool: AsyncConnectionPool[Any], clock: Clock) -> None:
    vault = await instance(pool, clock)
    token = issue(await vault.signer(), CLAIMS, timedelta(minutes=1))
    await vault.rotate(True, Metadata())
    with pytest.raises(Unauthenticated):
        await TokenVerifier(vault).verify(token)
    assert await TokenVerifier(vault).verify(issue(await vault.signer(), CLAIMS, timedelta(minutes=1)))


async def test_private_keys_are_encrypted_with_the_master_key(pool: AsyncConnectionPool[Any], clock: Clock) -> None:
    vault = await instance(pool, clock)
    private = str((await vault.signer()).as_dict(private=True)["d"])
    async with pool.connection() as connection:
        rows = await (await connection.execute("SELECT wrapped FROM signing_keys")).fetchall()
        events = await (await connection.execute("SELECT data FROM events")).fetchall()
    assert len(rows) == len(events) == 1
    assert private.encode() not in bytes(rows[0][0]) + bytes(events[0][0])
    assert "d" not in (await vault.jwks())["keys"][0]
    with pytest.raises(WrongMasterKey):
        await (await instance(pool, clock, b"x" * 32)).signer()


async def test_a_key_and_its_event_are_stored_together_or_not_at_all(
    pool: AsyncConnectionPool[Any], clock: Clock
) -> None:
    vault = await instance(pool, clock)
    async with pool.connection() as connection:
        await connection.execute("ALTER TABLE signing_keys ADD CHECK (length(key_id) < 1)")
    with pytest.raises(psycopg.errors.CheckViolation):
        await vault.tend()
    assert (await vault._streams.load(SIGNING_KEYS, STREAM_ID)).version == 0
