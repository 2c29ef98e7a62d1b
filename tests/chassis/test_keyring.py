"""Sealing: what is personal is unreadable without its person's key, and for ever after the key is gone."""

import base64
import os
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.database import open_pool
from chassis.keyring import MemoryKeyring, PostgresKeyring, Sealer, WrongMasterKey, open_sealed, seal
from contracts.base import Sealed
from contracts.entities import EntityCreated
from contracts.envelope import Metadata, Record
from contracts.ids import Position

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)


def created(personal: dict[str, object] | Sealed, person: str = "contact/1") -> EntityCreated:
    return EntityCreated.model_validate(
        {
            "entity": "contact",
            "id": "1",
            "external_id": "K-1",
            "person": person,
            "attributes": {"language": "de"},
            "personal": personal,
            "relations": {},
        }
    )


def record(data: bytes) -> Record:
    position = Position("entities", 0, 1)
    return Record(position, "contact/1", 1, EntityCreated.type, datetime.now(UTC), Metadata(), data)


async def opened(sealer: Sealer, data: bytes) -> EntityCreated:
    (envelope,) = await sealer.open([record(data)])
    assert isinstance(envelope.event, EntityCreated)
    return envelope.event


@given(JSON)
def test_a_box_gives_back_what_was_put_in(value: object) -> None:
    key = os.urandom(32)
    inside = open_sealed(seal(value, "contact/1", key), key)
    assert inside is not None
    assert orjson.loads(inside) == value


async def test_an_event_is_sealed_where_it_is_personal_and_opens_again() -> None:
    sealer = Sealer(MemoryKeyring())
    event = created({"last_name": "Sommer"})
    (data,) = await sealer.encode([event])
    assert b"Sommer" not in data
    assert b'"language":"de"' in data
    assert await opened(sealer, data) == event


async def test_the_key_of_another_person_does_not_open_a_box() -> None:
    keyring = MemoryKeyring()
    sealer = Sealer(keyring)
    (data,) = await sealer.encode([created({"last_name": "Sommer"})])
    await keyring.provide(["contact/2"])
    stolen = data.replace(b"contact/1", b"contact/2")
    assert isinstance((await opened(sealer, stolen)).personal, Sealed)


@pytest.mark.parametrize(
    "box", ["", "!", base64.b64encode(b"short").decode(), base64.b64encode(os.urandom(64)).decode()]
)
async def test_a_broken_box_stays_shut(box: str) -> None:
    keyring = MemoryKeyring()
    await keyring.provide(["contact/1"])
    event = created(Sealed(sealed="contact/1", box=box))
    assert await opened(Sealer(keyring), event.model_dump_json().encode()) == event


async def test_after_erasure_nothing_opens_and_nothing_is_sealed_anew() -> None:
    keyring = MemoryKeyring()
    sealer = Sealer(keyring)
    (data,) = await sealer.encode([created({"last_name": "Sommer"})])
    assert await keyring.erase("contact/1")
    assert not await keyring.erase("contact/1")
    assert isinstance((await opened(sealer, data)).personal, Sealed)
    (later,) = await sealer.encode([created({"last_name": "Sommer"})])
    assert b"Sommer" not in later
    assert (await opened(sealer, later)).personal == Sealed(sealed="contact/1", box="")


async def test_empty_values_are_not_personal() -> None:
    (data,) = await Sealer(MemoryKeyring()).encode([created({})])
    assert b'"personal":{}' in data


async def test_boxes_are_revealed_in_order_and_erased_ones_are_none() -> None:
    keyring = MemoryKeyring()
    keys = await keyring.provide(["contact/1", "contact/2"])
    boxes = [seal({"n": n}, person, keys[person]) for n, person in enumerate(["contact/1", "contact/2"])]
    await keyring.erase("contact/1")
    assert await Sealer(keyring).reveal(boxes) == [None, {"n": 1}]


async def test_the_keyring_in_postgres_keeps_keys_wrapped(urls: dict[str, str]) -> None:
    master = os.urandom(32)
    async with open_pool(urls["identity"], 4) as pool:
        keyring = PostgresKeyring(pool, master)
        assert await keyring.find(["p/1"]) == {}
        keys = await keyring.provide(["p/1", "p/2"])
        assert await PostgresKeyring(pool, master).find(["p/1", "p/2"]) == keys
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT wrapped FROM keyring.keys WHERE person = 'p/1'")
            row = await cursor.fetchone()
        assert row is not None
        assert keys["p/1"] not in bytes(row[0])
        with pytest.raises(WrongMasterKey):
            await PostgresKeyring(pool, os.urandom(32)).find(["p/1"])
        assert await keyring.erase("p/1")
        assert await keyring.find(["p/1"]) == {}
        assert await PostgresKeyring(pool, master).provide(["p/1"]) == {}
        assert await keyring.erase("p/never known")
        assert await keyring.provide(["p/never known"]) == {}
