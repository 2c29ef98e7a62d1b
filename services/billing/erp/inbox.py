"""Applies the messages of the ERP, a batch at a time: each once, in the order of its contract, and nothing stops."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from chassis import arrays
from chassis.bus import ForeignRecord
from chassis.decider import Do
from chassis.errors import Rejected
from chassis.log import Connection
from chassis.streams import Streams
from chassis.views import MAXIMUM_ROWS, ViewReader
from contracts.erp import ErpMessage
from services.billing.contracts.state import SupplyContract
from services.billing.erp import rejects, waiting
from services.billing.erp.messages import Identity, Message, Misfit, read

Commands = Mapping[type[ErpMessage], Callable[[Any, SupplyContract], Do[Any, Any]]]
Contracts = Mapping[str, SupplyContract]


class ErpInbox:
    """The consumer of `erp.in`. `commands` says what follows from each kind of message."""

    name = "erp.in"

    def __init__(self, streams: Streams, contracts: ViewReader[SupplyContract], commands: Commands) -> None:
        self._streams = streams
        self._contracts = contracts
        self._commands = commands

    async def apply(self, connection: Connection, records: Sequence[ForeignRecord]) -> None:
        """Applies what is new; keeps what must wait and what does not fit."""
        new = await _unseen(connection, [read(record) for record in records])
        messages, misfits = _sorted(new)
        ids = {message.contract_id for message in messages}
        known = await self._known(ids)
        queued = await waiting.count(connection, ids)
        ready: list[Message] = []
        early: list[Message] = []
        for message in messages:
            if message.contract_id in known and not queued[message.contract_id]:
                ready.append(message)
            elif queued[message.contract_id] < waiting.MAXIMUM_A_CONTRACT:
                queued[message.contract_id] += 1
                early.append(message)
            else:
                misfits.append(message.refused(Rejected("too_many_waiting", limit=waiting.MAXIMUM_A_CONTRACT)))
        misfits += await self._carry_out(connection, ready, known)
        await waiting.keep(connection, early)
        await rejects.keep(connection, misfits)

    async def idle(self, connection: Connection, partitions: Sequence[int]) -> None:
        """Applies what has waited for a contract that is known by now."""
        records = await waiting.release(connection, partitions, self._contracts.view.table)
        if not records:
            return
        messages, misfits = _sorted([read(record) for record in records])
        known = await self._known({message.contract_id for message in messages})
        misfits += await self._carry_out(connection, [m for m in messages if m.contract_id in known], known)
        await waiting.keep(connection, [m for m in messages if m.contract_id not in known])
        await rejects.keep(connection, misfits)

    async def _known(self, contract_ids: Collection[str]) -> Contracts:
        ids = sorted(contract_ids)
        known: dict[str, SupplyContract] = {}
        for start in range(0, len(ids), MAXIMUM_ROWS):
            known |= await self._contracts.get_many(ids[start : start + MAXIMUM_ROWS])
        return known

    async def _carry_out(self, connection: Connection, messages: Sequence[Message], known: Contracts) -> list[Misfit]:
        """All commands at once; returns the messages that the rules refuse."""
        if not messages:
            return []
        commands = [self._command(message, known[message.contract_id]) for message in messages]
        results = await self._streams.execute_all(commands, connection)
        return [
            message.refused(result)
            for message, result in zip(messages, results, strict=True)
            if isinstance(result, Rejected)
        ]

    def _command(self, message: Message, contract: SupplyContract) -> Do[Any, Any]:
        do = self._commands[type(message.content)](message.content, contract)
        return Do(do.decider, do.id, do.command, message.metadata)


def _sorted(read_records: Sequence[Message | Misfit]) -> tuple[list[Message], list[Misfit]]:
    messages = [one for one in read_records if isinstance(one, Message)]
    return messages, [one for one in read_records if isinstance(one, Misfit)]


async def _unseen(connection: Connection, read_records: Sequence[Message | Misfit]) -> list[Message | Misfit]:
    """Those whose source and id were never seen before, now they are; and those that lack an id, which are misfits."""
    identities = sorted({(one.identity.source, one.identity.id) for one in read_records if one.identity})
    cursor = await connection.execute(
        "INSERT INTO erp_inbox (source, id) SELECT * FROM unnest(%b, %b) ON CONFLICT DO NOTHING RETURNING source, id",
        (arrays.texts([source for source, _ in identities]), arrays.texts([id_ for _, id_ in identities])),
        prepare=True,
    )
    new = {Identity(source, id_) for source, id_ in await cursor.fetchall()}
    return [one for one in read_records if one.identity is None or _take(new, one.identity)]


def _take(new: set[Identity], identity: Identity) -> bool:
    """Whether it was new; it is no longer."""
    if identity not in new:
        return False
    new.remove(identity)
    return True
