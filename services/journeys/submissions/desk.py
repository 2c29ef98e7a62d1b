"""What people do with a journey: begin it, answer step by step, and send it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.auth import Forbidden, Principal
from chassis.database import Pool
from chassis.decider import Do
from chassis.errors import Conflict, NotFound, Rejected
from chassis.streams import Streams
from chassis.texts import Texts
from chassis.tickets import InvalidTicket, Tickets
from contracts.common import Json, Language
from contracts.envelope import Metadata
from contracts.ids import Position, record_id
from contracts.journeys import FileRef, JourneySubmitted, RecordRef
from services.journeys.definitions.views import Library
from services.journeys.files import table
from services.journeys.files.keeping import Keeper
from services.journeys.files.table import FileRow
from services.journeys.form.answers import Checked, InvalidAnswers, check_all, check_step
from services.journeys.form.consequences import Situation, consequences
from services.journeys.form.document import JourneyDocument
from services.journeys.form.fields import FilesField
from services.journeys.form.flaws import tell
from services.journeys.known.rules import CONTACT, Known, Rules
from services.journeys.submissions.access import USERS
from services.journeys.submissions.decider import SUBMISSION, Submit
from services.journeys.submissions.drafts import Draft, Drafts, NewDraft, close, lock
from services.journeys.submissions.secrets import DraftSecrets
from services.journeys.submissions.state import Submitted

ATTEMPTS = 5
USER = "user/"


@dataclass(frozen=True, slots=True)
class Sent:
    """A submission that was sent; `position` is where its event stands."""

    reference: str
    position: Position


@dataclass(frozen=True)
class Desk:
    """Everything that is needed to run journeys. `sent` is told when an event was appended."""

    pool: Pool
    streams: Streams
    drafts: Drafts
    keeper: Keeper
    library: Library
    rules: Rules
    tickets: Tickets
    secrets: DraftSecrets
    texts: Texts
    sent: Callable[[], None]

    async def begin_with_ticket(self, id_: str, text: str, principal: Principal, language: Language) -> None:
        """Begins what the portal allowed. Raises InvalidTicket, NotFound or Rejected."""
        ticket = self.tickets.read(text)
        mine = ticket.subject == principal.subject and ticket.contact_id == principal.contact_id
        if principal.role not in USERS or not mine:
            raise InvalidTicket("ticket_invalid")
        document, version = await self.library.current(ticket.journey_id)
        if document.context is not None and (ticket.context is None or ticket.context.entity != document.context):
            raise Rejected("ticket_without_context", entity=document.context)
        person = f"{CONTACT}/{ticket.contact_id}" if ticket.contact_id else ticket.subject
        new = NewDraft(
            id=id_,
            journey_id=ticket.journey_id,
            journey_version=version,
            portal_id=ticket.portal_id,
            language=language,
            person=person,
            subject=ticket.subject,
            contact_id=ticket.contact_id,
            action=ticket.action,
            context=ticket.context if document.context else None,
            task=ticket.task,
        )
        await self.drafts.begin(new, self.streams.clock())

    async def begin_public(
        self, id_: str, journey_id: str, portal_id: str, principal: Principal, language: Language
    ) -> str | None:
        """Begins a public journey; returns a secret for whoever is not signed in.

        Whoever is signed in begins in his own portal only.
        """
        document, version = await self.library.current(journey_id)
        if document.access != "public":
            raise Forbidden("forbidden_without_ticket")
        signed_in = principal.role in USERS
        if signed_in and principal.portal_id not in (None, portal_id):
            raise Rejected("portal_not_available")
        await self.rules.check_portal(portal_id)
        secret = None if signed_in else self.secrets.of(id_)
        contact_id = principal.contact_id if signed_in else None
        user = principal.subject if signed_in else f"submission/{id_}"
        new = NewDraft(
            id=id_,
            journey_id=journey_id,
            journey_version=version,
            portal_id=portal_id,
            language=language,
            person=f"{CONTACT}/{contact_id}" if contact_id else user,
            subject=principal.subject if signed_in else None,
            contact_id=contact_id,
            secret=secret,
        )
        await self.drafts.begin(new, self.streams.clock())
        return secret

    async def answer(
        self, draft: Draft, step_id: str, given: Mapping[str, Json], language: Language, *, as_typed: bool = False
    ) -> None:
        """Keeps the answers of a step; `as_typed`: wrong ones too, without it being done by that.

        Raises InvalidAnswers, NotFound or Rejected.
        """
        for _ in range(ATTEMPTS):
            if draft.submitted_at is not None:
                raise Rejected("already_submitted", reference=draft.reference)
            answers, checked = await self._answered(draft, step_id, given)
            done = list(draft.done)
            if not as_typed or not checked.shown:
                self._refuse_flaws(checked, language)
            if not as_typed:
                done = [*(each for each in draft.done if each != step_id), step_id]
            if await self.drafts.save(draft, answers, done, self._now()):
                return
            draft = await self._again(draft)
        raise Conflict(f"submission/{draft.id}", draft.revision, draft.revision + 1)

    async def _answered(self, draft: Draft, step_id: str, given: Mapping[str, Json]) -> tuple[dict[str, Json], Checked]:
        """All answers with those of the step in their place; files answer by being there, whatever is said of them."""
        document = await self.library.version(draft.journey_id, draft.journey_version)
        step = document.step(step_id)
        if step is None:
            raise NotFound("step_not_found")
        known = await self.rules.known(draft.context, draft.contact_id)
        files = files_by_field(document, await self.keeper.of(draft.id))
        mine = {name: value for name, value in given.items() if name not in files}
        mine |= _lists({name: ids for name, ids in files.items() if name in step.questions()})
        stored = {**draft.answers, **_lists(files)}
        checked = check_step(document, step, given=mine, stored=stored, records=known.records, now=self._now())
        others = {name: value for name, value in draft.answers.items() if name not in step.questions()}
        return others | {name: value for name, value in checked.answers.items() if name not in files}, checked

    async def submit(self, draft: Draft, metadata: Metadata, language: Language) -> Sent:
        """Sends a submission, once: whoever sends it again gets the same answer. Raises InvalidAnswers or Rejected."""
        for _ in range(ATTEMPTS):
            if draft.submitted_at is not None and (sent := await self._sent(draft)):
                return sent
            try:
                submitted = await self._submitted(draft, language)
            except Rejected:
                if sent := await self._sent(draft):
                    return sent
                raise
            if sent := await self._append(draft, submitted, metadata):
                return sent
            draft = await self._again(draft)
        raise Conflict(f"submission/{draft.id}", draft.revision, draft.revision + 1)

    async def _append(self, draft: Draft, submitted: JourneySubmitted, metadata: Metadata) -> Sent | None:
        """Appends the event and closes the draft, both or neither; None when the draft is not what it was any more."""
        do = Do(SUBMISSION, draft.id, Submit(submitted), metadata)
        async with self.pool.connection() as connection, connection.transaction():
            if not await lock(connection, draft):
                return None
            (result,) = await self.streams.execute_all([do], connection)
            if isinstance(result, Rejected):
                raise result
            files = [file.file_id for file in submitted.files]
            await table.submit(connection, draft.id, files, self._now())
            await close(connection, draft.id, self._now())
        self.sent()
        return Sent(submitted.reference, result.position)

    async def check(self, draft: Draft, known: Known) -> tuple[JourneyDocument, Checked, list[FileRow]]:
        """The answers that count now, and what is still wrong with them."""
        document = await self.library.version(draft.journey_id, draft.journey_version)
        rows = await self.keeper.of(draft.id)
        stored = {**draft.answers, **_lists(files_by_field(document, rows))}
        return document, check_all(document, stored, known.records, self._now()), rows

    async def _submitted(self, draft: Draft, language: Language) -> JourneySubmitted:
        """The event that a draft makes now."""
        now = self._now()
        known = await self.rules.known(draft.context, draft.contact_id)
        await self.rules.check(draft.origin, known, now)
        document, checked, rows = await self.check(draft, known)
        self._refuse_flaws(checked, language)
        situation = Situation(known.records, _refs(draft), _record_ids(draft), draft.language, now)
        follows = consequences(document, checked.answers, situation)
        return JourneySubmitted(
            submission_id=draft.id,
            reference=draft.reference,
            journey_id=draft.journey_id,
            journey_version=draft.journey_version,
            portal_id=draft.portal_id,
            language=draft.language,
            user_id=draft.subject.removeprefix(USER) if draft.subject else None,
            contact_id=draft.contact_id,
            context=draft.context,
            action=draft.action,
            task=draft.task,
            person=draft.person,
            answers=dict(checked.answers),
            mapped=follows.mapped,
            email=follows.email,
            files=tuple(_file_ref(row) for row in rows if row.id in _named(document, checked.answers)),
            effects=follows.effects,
        )

    async def _again(self, draft: Draft) -> Draft:
        """The draft as it is now. Raises NotFound."""
        found = await self.drafts.find(draft.id, self._now())
        if found is None:
            raise NotFound("submission_not_found")
        return found

    async def _sent(self, draft: Draft) -> Sent | None:
        loaded = await self.streams.load(SUBMISSION, draft.id)
        return Sent(loaded.state.reference, loaded.position) if isinstance(loaded.state, Submitted) else None

    def _refuse_flaws(self, checked: Checked, language: Language) -> None:
        if checked.flaws:
            raise InvalidAnswers(tell(checked.flaws, self.texts, language), checked.steps)

    def _now(self) -> datetime:
        return self.streams.clock()


def files_by_field(document: JourneyDocument, rows: list[FileRow]) -> dict[str, list[str]]:
    """The ids of files by the field that they answer, in the order in which they came."""
    fields = [name for name, field in document.questions().items() if isinstance(field, FilesField)]
    return {name: [row.id for row in rows if row.field == name] for name in fields}


def _lists(files: Mapping[str, list[str]]) -> dict[str, Json]:
    return {name: list[Json](ids) for name, ids in files.items() if ids}


def _named(document: JourneyDocument, answers: Mapping[str, Json]) -> set[Json]:
    """The ids of files in answers that count."""
    lists = [answers.get(name) for name, field in document.questions().items() if isinstance(field, FilesField)]
    return {each for ids in lists if isinstance(ids, list) for each in ids if isinstance(each, str)}


def _file_ref(row: FileRow) -> FileRef:
    return FileRef(
        file_id=row.id, field=row.field, media_type=row.media_type, size_bytes=row.size_bytes, sha256=row.sha256
    )


def _refs(draft: Draft) -> dict[str, RecordRef]:
    refs = {"context": draft.context} if draft.context else {}
    return refs | ({CONTACT: RecordRef(entity=CONTACT, id=draft.contact_id)} if draft.contact_id else {})


def _record_ids(draft: Draft) -> Callable[[str, int], str]:
    return lambda entity, place: record_id(entity, f"submission/{draft.id}/{place}")
