"""Objects are sealed, come back as they were, and whatever is done to them behind our back is noticed."""

import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Unavailable
from chassis.objects import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, ObjectLost, Objects, opened, sealed

KEY = os.urandom(32)


async def stream(data: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def seal(data: bytes, name: str = "a", key: bytes = KEY) -> bytes:
    return b"".join([chunk async for chunk in sealed([data], key, name)])


async def unseal(box: bytes, name: str = "a", key: bytes = KEY, size: int = 10_000) -> bytes:
    return b"".join([chunk async for chunk in opened(stream(box, size), key, name)])


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
async def test_what_was_sealed_is_opened(size: int) -> None:
    data = os.urandom(size)
    box = await seal(data)
    for pieces in (1 if size < 10 else 7_919, CHUNK_BYTES, len(box)):
        assert await unseal(box, size=pieces) == data
    assert size < 16 or data[:16] not in box


@given(place=st.integers(0, 2 * CHUNK_BYTES + HEADER_BYTES + 3 * TAG_BYTES - 1))
async def test_a_changed_byte_is_noticed(place: int) -> None:
    box = bytearray(await seal(bytes(2 * CHUNK_BYTES + 0)))
    box[place % len(box)] ^= 1
    with pytest.raises(ObjectLost):
        await unseal(bytes(box))


async def test_what_is_cut_off_swapped_or_of_another_name_or_person_is_noticed() -> None:
    box = await seal(os.urandom(3 * CHUNK_BYTES))
    chunk = CHUNK_BYTES + TAG_BYTES
    head, first, second, third = box[:HEADER_BYTES], *(box[HEADER_BYTES + n * chunk :][:chunk] for n in range(3))
    for wrong in (head + first + second, head + second + first + third, head, b"", box[: HEADER_BYTES - 1]):
        with pytest.raises(ObjectLost):
            await unseal(wrong)
    with pytest.raises(ObjectLost):
        await unseal(box, name="b")
    with pytest.raises(ObjectLost):
        await unseal(box, key=os.urandom(32))


async def test_a_folder_keeps_objects(tmp_path: Path) -> None:
    objects = Objects((tmp_path / "objects").as_uri())
    data = os.urandom(2 * CHUNK_BYTES + 5)
    await objects.put("one/two", sealed([data], KEY, "one/two"))
    read = b"".join([chunk async for chunk in opened(objects.get("one/two"), KEY, "one/two")])
    assert read == data
    assert data not in (tmp_path / "objects/one/two").read_bytes()
    for name in ("one/two", "one/two", "never"):
        await objects.delete(name)
    with pytest.raises(ObjectLost):
        _ = [chunk async for chunk in objects.get("one/two")]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("the client went away")

    objects = Objects((tmp_path / "objects").as_uri())
    with pytest.raises(ValueError, match="went away"):
        await objects.put("half", broken())
    with pytest.raises(ObjectLost):
        _ = [chunk async for chunk in objects.get("half")]
    assert not files_below(tmp_path)


async def test_a_store_that_is_away_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file where the folder should be")
    with pytest.raises(Unavailable):
        await Objects((tmp_path / "objects").as_uri()).put("x", stream(b"x"))


async def test_memory_stays_bounded(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(640):
            yield bytes(CHUNK_BYTES)

    objects = Objects((tmp_path / "objects").as_uri())
    tracemalloc.start()
    await objects.put("large", sealed(pieces(), KEY, "large"))
    size = 0
    async for chunk in opened(objects.get("large"), KEY, "large"):
        size += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 640 * CHUNK_BYTES
    assert peak < 20 * 1024 * 1024
