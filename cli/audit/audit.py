"""An audit of several services: gathers what seals claim, walks every shard, looks at what spans shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cli.audit.claims import Claims, open_claims
from cli.audit.diagnosis import Finding
from cli.audit.history import LogHistory, TopicHistory, open_log
from cli.audit.verify import Verdict, verify_shard
from cli.events.place import Place
from cli.events.reading import Reader, open_reader
from cli.problem import Problem
from contracts.topics import SEALS

Progress = Callable[[str, int, int], None]
"""Told the chain (`billing/2`), how many events it has, and how many more have been looked at."""


@dataclass
class Report:
    """The outcome of an audit. `unreadable` records of the topic are no seals."""

    verdicts: list[Verdict] = field(default_factory=list)
    unreadable: int = 0

    @property
    def ok(self) -> bool:
        return not any(verdict.finding for verdict in self.verdicts)


async def audit_logs(
    urls: Mapping[str, str], place: Place | None, keys: Sequence[Ed25519PublicKey], progress: Progress
) -> Report:
    """Verifies logs against their seals and, where a place of topics is given, against the anchors there."""
    report = Report()
    with open_claims() as claims:
        async with AsyncExitStack() as stack:
            logs = [await stack.enter_async_context(open_log(service, url)) for service, url in urls.items()]
            for log in logs:
                await claims.add_table(log)
            if place:
                async with open_reader(place, [SEALS.name]) as reader:
                    await claims.add_topic(reader, urls)
            for log in logs:
                topic = await _topic(stack, place, log.service)
                report.verdicts += await _log(log, topic, claims, keys, progress)
        report.unreadable = claims.unreadable
    return report


async def audit_topics(
    services: Sequence[str], place: Place, keys: Sequence[Ed25519PublicKey], progress: Progress
) -> Report:
    """Verifies what the topics of services hold against the anchors, without any database."""
    report = Report()
    with open_claims() as claims:
        async with open_reader(place, [SEALS.name]) as reader:
            await claims.add_topic(reader, services)
        for service in services:
            async with open_reader(place, [service]) as reader:
                topic = TopicHistory(service, reader)
                shards = await topic.shards()
                for shard in shards:
                    told = _teller(progress, f"{service}/{shard.number}", shard.head)
                    report.verdicts.append(
                        await verify_shard(topic, shard, len(shards), claims, keys=keys, progress=told)
                    )
        report.unreadable = claims.unreadable
    return report


async def _log(
    log: LogHistory,
    topic: TopicHistory | None,
    claims: Claims,
    keys: Sequence[Ed25519PublicKey],
    progress: Progress,
) -> list[Verdict]:
    shards = await log.shards()
    verdicts = []
    for shard in shards:
        told = _teller(progress, f"{log.service}/{shard.number}", shard.head)
        verdicts.append(await verify_shard(log, shard, len(shards), claims, keys=keys, topic=topic, progress=told))
    if all(verdict.finding is None for verdict in verdicts):
        for number, sequence in (await log.broken_streams()).items():
            explanation = "the versions of its stream are not 1, 2, 3, ... in one shard"
            verdicts[number].finding = Finding(sequence, "stream broken", explanation)
    if stray := await log.stray():
        verdicts.append(Verdict(log.service, stray[0], finding=Finding(stray[1], "inserted", "there is no such shard")))
    return verdicts


async def _topic(stack: AsyncExitStack, place: Place | None, service: str) -> TopicHistory | None:
    """The topic as a witness; an audit does without when it is gone."""
    if place is None:
        return None
    with suppress(Problem):
        reader: Reader = await stack.enter_async_context(open_reader(place, [service]))
        return TopicHistory(service, reader)
    return None


def _teller(progress: Progress, chain: str, total: int) -> Callable[[int], None]:
    return lambda count: progress(chain, total, count)
