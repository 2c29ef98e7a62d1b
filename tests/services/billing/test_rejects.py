"""A rejected message is handed on at least once, whatever happens to the broker, and whatever it holds."""

from collections.abc import AsyncIterator

import pytest

from chassis.bus import ForeignRecord, Headers
from chassis.database import Pool, open_pool
from chassis.errors import Rejected, Unavailable
from chassis.provision import provision_database
from services.billing.app import TEXTS
from services.billing.erp import rejects
from services.billing.erp.messages import Misfit

HEADERS = [("ce_id", b"\xff\x00"), ("ce_id", b"again"), ("n\x00", b"")]


class Topic:
    """Takes records while `works`."""

    def __init__(self) -> None:
        self.works = True
        self.taken: list[tuple[bytes | None, bytes | None, Headers]] = []

    async def publish(self, name: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        if not self.works:
            raise Unavailable("no broker")
        self.taken.append((key, value, headers))


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[Pool]:
    urls = provision_database(fresh_database, {"billing": "secret"}, 4)
    async with open_pool(urls["billing"], connections=4) as pool:
        yield pool


def misfit(offset: int, value: bytes | None = b"\xff\x00") -> Misfit:
    record = ForeignRecord("portico.erp.in", 1, offset, b"4711", value, HEADERS, 0)
    return Misfit(record, None, Rejected("message_not_json", problem="unexpected end"))


async def keep(pool: Pool, *misfits: Misfit) -> None:
    async with pool.connection() as connection, connection.transaction():
        await rejects.keep(connection, misfits)


async def publish(pool: Pool, topic: Topic) -> int:
    return await rejects.publish_some(pool, topic, TEXTS)  # type: ignore[arg-type]  # a topic in memory


async def test_published_in_order_once_the_topic_is_back(pool: Pool) -> None:
    topic = Topic()
    topic.works = False
    await keep(pool, misfit(1), misfit(2))
    with pytest.raises(Unavailable):
        await publish(pool, topic)
    topic.works = True
    await keep(pool, misfit(3))
    assert await publish(pool, topic) == 3
    assert await publish(pool, topic) == 0
    origins = [dict(headers)["reject_offset"] for _, _, headers in topic.taken]
    assert origins == [b"1", b"2", b"3"]
    assert {value for _, value, _ in topic.taken} == {b"\xff\x00"}
    assert list(topic.taken[0][2])[:3] == HEADERS


async def test_nothing_is_kept_of_a_transaction_that_rolls_back(pool: Pool) -> None:
    async with pool.connection() as connection, connection.transaction(force_rollback=True):
        await rejects.keep(connection, [misfit(1)])
    assert await publish(pool, Topic()) == 0


async def test_old_ones_make_room(pool: Pool) -> None:
    await keep(pool, misfit(1), misfit(2))
    await publish(pool, Topic())
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE erp_rejects SET published_at = now() - interval '91 days' WHERE record_offset = 1"
        )
    await keep(pool, misfit(3))
    await publish(pool, Topic())
    assert [one.offset for one in await rejects.latest(pool, TEXTS, "en", None, 10)] == [3, 2]


async def test_two_publishers_do_not_meet(pool: Pool) -> None:
    await keep(pool, misfit(1))
    first, second = Topic(), Topic()
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM erp_rejects FOR UPDATE")
        assert await publish(pool, first) == 0
    assert await publish(pool, second) == 1


async def test_what_no_topic_takes_is_published_without_its_bytes(pool: Pool) -> None:
    await keep(pool, misfit(1, b"x" * 1_000_000), misfit(2, None))
    topic = Topic()
    await publish(pool, topic)
    (_, value, headers), (_, nothing, _) = topic.taken
    assert (value, dict(headers)["reject_bytes"], nothing) == (None, b"omitted", None)
    assert await rejects.latest(pool, TEXTS, "en", None, 1) == await rejects.latest(pool, TEXTS, "en", 3, 1)
    (_, listed) = await rejects.latest(pool, TEXTS, "de", None, 2)
    assert (listed.size, listed.excerpt, listed.contract) == (1_000_000, "x" * rejects.EXCERPT, "4711")
