"""Walks a history from its beginning, recomputes the chain, and holds it against every seal on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain as joined
from itertools import groupby
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chassis.log import shard_of
from chassis.seals import Link, beginning, is_signed
from cli.audit.claims import Claim, Claims
from cli.audit.diagnosis import Finding, compare
from cli.audit.history import LogHistory, Shard, Stored, TopicHistory

COMPARED = 20_000
BEYOND = 500


class History(Protocol):
    """A log or a topic."""

    service: str

    def pages(self, shard: Shard) -> AsyncIterator[list[Stored]]: ...


@dataclass
class Verdict:
    """What was found out about a shard. Sequences: events begin at `begins`; sealed, anchored up to here."""

    service: str
    shard: int
    events: int = 0
    begins: int = 1
    sealed_to: int = 0
    anchored_to: int = 0
    signed_to: int = 0
    not_anchored: int = 0
    finding: Finding | None = None

    @property
    def chain(self) -> str:
        return f"{self.service}/{self.shard}"


@dataclass
class Walk:
    """One shard on its way. `trusted` is the last link that the strongest kind of claim at hand has confirmed."""

    history: History
    shard: Shard
    shards: int
    claims: Iterator[list[Claim]]
    keys: Sequence[Ed25519PublicKey]
    verdict: Verdict
    link: Link
    trusted: Link
    has_anchors: bool
    topic: TopicHistory | None = None
    due: list[Claim] = field(default_factory=list)
    about_seals: Finding | None = None

    async def run(self, progress: Callable[[int], None]) -> None:
        """Fills in the verdict; ends with the first finding about events."""
        self._next_due()
        async for page in self.history.pages(self.shard):
            for event in page:
                self.verdict.finding = await self._step(event)
                if self.verdict.finding:
                    return
            progress(len(page))
        self.verdict.finding = await self._end() or self.about_seals

    async def _step(self, event: Stored) -> Finding | None:
        place = self.link.sequence
        if event.sequence <= 0:
            return Finding(event.sequence, "inserted", "sequences begin at 1")
        if event.sequence != place + 1:
            return await self._differs(place + 1, Finding(place + 1, "deleted", f"the next event is {event.sequence}"))
        if shard_of(event.stream, self.shards) != self.shard.number:
            finding = Finding(event.sequence, "inserted", f"{event.stream} does not belong to this shard")
            return await self._differs(event.sequence, finding)
        self.verdict.events += 1
        if event.sequence < self.verdict.begins:
            self.link = self.trusted = Link(event.sequence, self.link.seal)
            return None
        self.link = Link(event.sequence, event.after(self.link.seal))
        return await self._check() if self.due and self.due[0].seal.last == event.sequence else None

    async def _check(self) -> Finding | None:
        """All claims about the present link must hold."""
        claims, verdict = self.due, self.verdict
        wrong = [claim for claim in claims if claim.seal.seal != self.link.seal.hex()]
        if wrong:
            finding = await self._differs(wrong[0].seal.last, self._about_seals(wrong))
            if finding.what != "seal changed":
                return finding
            self._note(finding)
        for claim in claims:
            self._note(self._unsigned(claim))
            self._note(self._unlinked(claim))
        anchored = any(claim.anchor for claim in claims)
        if anchored:
            verdict.anchored_to = self.link.sequence
        elif self.has_anchors and verdict.anchored_to:
            self._note(Finding(claims[0].seal.first, "seal not published", "no relay has published this seal"))
        else:
            verdict.not_anchored += 1
        if anchored or not self.has_anchors:
            self.trusted = self.link
        self._next_due()
        return None

    def _note(self, finding: Finding | None) -> None:
        """Keeps the first finding about seals alone: one about events, wherever it is, says more."""
        self.about_seals = self.about_seals or finding

    def _about_seals(self, wrong: Sequence[Claim]) -> Finding:
        """What can be said of claims that differ from the log, when no witness tells more."""
        first, last = self.trusted.sequence + 1, self.link.sequence
        right = [claim for claim in self.due if claim not in wrong]
        if not any(claim.anchor for claim in wrong) and (right or not self.has_anchors):
            if right:
                return Finding(first, "seal changed", "the seals table has another seal than topic and log", last)
            return Finding(first, "changed", "the events or their seal are not what they were", last)
        if right and not right[0].anchor:
            return Finding(first, "anchor differs", "log and seals table agree, the topic has another seal", last)
        return Finding(first, "changed", "the events are not those that were sealed", last)

    def _unsigned(self, claim: Claim) -> Finding | None:
        if not self.keys:
            return None
        if claim.seal.signature and not is_signed(claim.seal, self.keys):
            return Finding(claim.seal.first, "signature wrong", "no given key made the signature", claim.seal.last)
        if claim.seal.signature:
            self.verdict.signed_to = claim.seal.last
        elif self.verdict.signed_to:
            return Finding(claim.seal.first, "signature missing", "seals before it are signed", claim.seal.last)
        return None

    def _unlinked(self, claim: Claim) -> Finding | None:
        """Rows of the table follow each other without a gap."""
        if claim.anchor:
            return None
        expected = max(self.verdict.sealed_to + 1, self.verdict.begins)
        if claim.seal.first != expected:
            return Finding(expected, "seal missing", "rows of the seals table are gone", claim.seal.first - 1)
        self.verdict.sealed_to = claim.seal.last
        return None

    async def _end(self) -> Finding | None:
        end, shard = self.link.sequence, self.shard
        if self.due:
            known = max(claim.seal.last for claim in joined(self.due, *self.claims))
            gone = Finding(end + 1, "cut off", f"the history was sealed up to {known}")
            return await self._differs(end + 1, gone)
        if self.keys and self.verdict.signed_to == 0 < max(self.verdict.sealed_to, self.verdict.anchored_to):
            self._note(Finding(self.verdict.begins, "signature missing", "no seal is signed", end))
        if isinstance(self.history, TopicHistory):
            return None
        if shard.head > end:
            return Finding(end + 1, "cut off", f"the head of the shard is {shard.head}")
        if shard.head < end:
            return Finding(shard.head + 1, "inserted", f"the head of the shard is {shard.head}")
        if (self.verdict.sealed_to or self.verdict.anchored_to) and shard.cursor > self.verdict.sealed_to:
            missing = Finding(self.verdict.sealed_to + 1, "seal missing", "published events have no seal", shard.cursor)
            self._note(missing)
        return None

    async def _differs(self, sequence: int, otherwise: Finding) -> Finding:
        """Compares with what was published since the last trusted link, to name the very event."""
        first, last = self.trusted.sequence + 1, sequence
        if self.due:
            last = max(last, self.due[0].seal.last)
        if self.topic is None or not isinstance(self.history, LogHistory) or last - first >= COMPARED:
            return otherwise
        events = await self.history.read(self.shard.number, first, last + BEYOND, COMPARED + BEYOND)
        witness = await self.topic.between(self.shard.number, first, last + BEYOND)
        return compare({event.sequence: event for event in events}, witness, first, last) or otherwise

    def _next_due(self) -> None:
        self.due = next(self.claims, [])


async def verify_shard(
    history: History,
    shard: Shard,
    shards: int,
    claims: Claims,
    *,
    keys: Sequence[Ed25519PublicKey] = (),
    topic: TopicHistory | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Verifies one shard. `topic` is asked for the events as they were published when something does not fit."""
    service, number = history.service, shard.number
    begins = claims.begins(service, number)
    start = Link(0, beginning(service, number, begins - 1).seal)
    walk = Walk(
        history=history,
        shard=shard,
        shards=shards,
        claims=(list(group) for _, group in groupby(claims.of(service, number), key=lambda claim: claim.seal.last)),
        keys=keys,
        verdict=Verdict(service, number, begins=begins),
        link=start,
        trusted=start,
        has_anchors=any(claim.anchor for claim in claims.of(service, number)),
        topic=topic,
    )
    await walk.run(progress)
    return walk.verdict
