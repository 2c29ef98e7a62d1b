"""What notifications made of what it was told: messages in its table, notices, and the words of a mail."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from chassis.testing import eventually
from tests.services.notifications.conftest import Notifications


async def messages(notifications: Notifications, **where: Any) -> list[dict[str, Any]]:
    conditions = " AND ".join(f"{name} = %s" for name in where)
    async with await psycopg.AsyncConnection.connect(notifications.admin_url, row_factory=dict_row) as connection:
        select = f"SELECT * FROM notifications.messages WHERE {conditions} ORDER BY created_at, id"  # noqa: S608 the test's own names
        return await (await connection.execute(select, list(where.values()))).fetchall()


async def message(notifications: Notifications, where: dict[str, Any], **expected: Any) -> dict[str, Any]:
    """The only message of this kind, once it is as expected."""

    async def fits() -> dict[str, Any] | None:
        rows = await messages(notifications, **where)
        assert len(rows) <= 1
        return rows[0] if rows and all(rows[0][name] == value for name, value in expected.items()) else None

    found = await eventually(fits, 40)
    assert found
    return found


def plain(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


async def notices(notifications: Notifications, count: int, record: str) -> list[dict[str, Any]]:
    """The notices about a record, once there are so many."""

    async def enough() -> list[dict[str, Any]] | None:
        service = notifications.running.service
        found = []
        for shard in range(4):
            for each in await service.sealer.open(await service.log.read(shard, 0, 1_000)):
                if each.event.type.startswith("portico.notifications.NoticePosted"):
                    found.append(each.event.model_dump(mode="json"))
        about = [each for each in found if each["target"]["record"]["id"] == record]
        return sorted(about, key=lambda each: each["cause"]) if len(about) >= count else None

    found = await eventually(enough, 40)
    assert found
    return found
