"""The pages of a journey under way: a step each, "check your answers", and what is said when it was sent."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from gateway.api import Refused
from gateway.journeys.questions import has_files, labels, questions, read
from gateway.journeys.run import Run, upload_id_of
from gateway.journeys.sent import confirmed, receipt
from gateway.routing import UNSAFE, Handler, Pages, Who
from gateway.visit import Form, Visit

Opener = Callable[[Visit], Awaitable[Run | None]]
UPLOAD_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
INVALID, SENT_ALREADY, NOT_ASKED = "invalid_answers", "already_submitted", "step_not_asked"
CHECK = "check"
TOLD, TOLD_SECONDS = "told", 60


def add_steps(pages: Pages, base: str, who: Who, opener: Opener, *, embedded: bool = False) -> None:
    """Adds the pages of journeys below an address. `opener` finds whose journey it is."""

    def opened(handler: Callable[[Run], Awaitable[Response]]) -> Handler:
        async def open_and_handle(visit: Visit) -> Response:
            run = await opener(visit)
            return await handler(run) if run else visit.not_found()

        return open_and_handle

    for method, path, handler in (
        (pages.get, "", _next),
        (pages.get, "/steps/{step}", _show),
        (pages.post, "/steps/{step}", _answer),
        (pages.post, "/steps/{step}/typed", _typed),
        (pages.post, "/steps/{step}/files", _upload),
        (pages.get, "/check", _check),
        (pages.post, "/sent", _send),
        (pages.get, "/sent", confirmed),
        (pages.post, "/receipt", receipt),
    ):
        method(base + path, who, embedded=embedded)(opened(handler))


async def _next(run: Run) -> Response:
    """To the first step that is not answered."""
    return run.visit.go(_address(run, await run.load()))


async def _show(run: Run) -> Response:
    shown = await run.load()
    step = _asked(shown, run.visit.path["step"])
    if step is None:
        return run.visit.go(_address(run, shown))
    told = _told(run, step["id"])
    mistakes = told.get("mistakes")
    return await _draw(run, shown, step, _invalid(mistakes) if mistakes else None, notice=told.get("notice"))


async def _answer(run: Run) -> Response:
    """What was typed is always kept; going on takes that it is right."""
    form, visit = run.visit.form, run.visit
    shown = await run.load()
    step = _asked(shown, visit.path["step"])
    if step is None:
        return visit.go(_address(run, shown))
    asked = _names(form)
    given = _given(visit, step, asked)
    if file_id := form.get("remove"):
        await run.drop(file_id)
    mistakes = await _take_files(run, step)
    try:
        goes_on = form.get("do", "next") == "next" and not file_id
        shown = await run.keep(step["id"], given, as_typed=not goes_on or bool(mistakes))
    except Refused as refused:
        return await _refused(run, refused, step, given, asked)
    if mistakes:
        return _again(run, step["id"], mistakes=mistakes)
    return await _after(run, shown, step["id"], asked)


async def _after(run: Run, shown: Mapping[str, Any], name: str, asked: list[str]) -> Response:
    """Where the button leads that was pressed."""
    visit, do = run.visit, run.visit.form.get("do", "next")
    step = _asked(shown, name)
    ids = [each["id"] for each in shown["steps"] if each["asked"]]
    if step is None:
        return visit.go(_address(run, shown))
    if do == "back":
        place = ids.index(name)
        return visit.go(f"{run.base}/steps/{ids[place - 1]}" if place else _home(shown))
    if do == "leave":
        return visit.go("/journeys", said="journey.kept")
    if do != "next" or visit.form.get("remove"):
        return visit.go(f"{run.base}/steps/{name}{_way(visit)}")
    if any(field not in asked for field in _answerable(step)):
        return _again(run, name, notice="journey.more_questions")
    following = ids[ids.index(name) + 1 :]
    if visit.form.get("to") == CHECK or not following:
        return visit.go(_address(run, shown))
    return visit.go(f"{run.base}/steps/{following[0]}")


async def _refused(
    run: Run, refused: Refused, step: Mapping[str, Any], given: dict[str, Any], asked: list[str]
) -> Response:
    """The step again with its mistakes; what was typed is kept beside them."""
    if refused.code in {SENT_ALREADY, NOT_ASKED}:
        return run.visit.go(run.base)
    if refused.code != INVALID:
        return await _draw(run, await run.load(), {**step, "answers": given}, refused)
    shown = await run.keep(step["id"], given, as_typed=True)
    again = _asked(shown, step["id"])
    if again is None:
        return run.visit.go(_address(run, shown))
    mistakes = {path: said for path, said in refused.mistakes.items() if path.partition(".")[0] in asked}
    if not mistakes:
        return _again(run, step["id"], notice="journey.more_questions")
    return _again(run, step["id"], mistakes=mistakes)


def _again(run: Run, step: str, **told: Any) -> Response:
    """To the page of the step, which tells once what is wrong: who goes back must not come to the answer of a form."""
    visit = run.visit
    visit.cookies.put(TOLD, visit.box.seal({"step": f"{run.id}/{step}", **told}), TOLD_SECONDS)
    return visit.go(f"{run.base}/steps/{step}{_way(visit)}")


def _told(run: Run, step: str) -> dict[str, Any]:
    visit = run.visit
    told: dict[str, Any] = visit.box.open(visit.cookies.get(TOLD), TOLD_SECONDS) or {}
    if told.get("step") != f"{run.id}/{step}":
        return {}
    visit.cookies.remove(TOLD)
    return told


async def _draw(
    run: Run,
    shown: Mapping[str, Any],
    step: Mapping[str, Any],
    refused: Refused | None = None,
    *,
    notice: str | None = None,
) -> Response:
    """The page of a step."""
    visit = run.visit
    drawn = questions(step, visit.language, step["fields"])
    wished = next((each["value"] for each in drawn if each["type"] == "cancellation_date"), None)
    has_ending = any(each["type"] == "cancellation_date" for each in drawn)
    wished = wished if isinstance(wished, str) and DAY.fullmatch(wished) else None
    found = await visit.together(
        record=run.record(shown), ending=run.endings(shown, wished) if has_ending else _nothing()
    )
    return visit.show(
        "journeys/step.html",
        status=refused.status if refused and visit.request.method == UNSAFE else 200,
        run=run,
        journey=shown,
        step=step,
        steps=[each for each in shown["steps"] if each["asked"]],
        questions=drawn,
        labels=labels(drawn),
        has_files=has_files(drawn),
        record=found.record,
        ending=found.ending,
        refused=refused,
        notice=notice,
        to=visit.query.get("to") or visit.form.get("to"),
        home=_home(shown),
    )


async def _upload(run: Run) -> Response:
    """A file that a script sends while the page stays open; it tells the same id when it tries again."""
    visit = run.visit
    shown = await run.load()
    step = _asked(shown, visit.path["step"])
    if step is None:
        return visit.go(_address(run, shown))
    mistakes = await _take_files(run, step)
    shown = await run.load()
    return await _draw(run, shown, _asked(shown, step["id"]) or step, _invalid(mistakes) if mistakes else None)


async def _typed(run: Run) -> Response:
    """What a script sends while somebody is answering: kept, and answered with the questions that it leads to."""
    visit, form = run.visit, run.visit.form
    step = _asked(await run.load(), visit.path["step"])
    if step is None:
        return visit.not_found()
    shown = await run.keep(step["id"], _given(visit, step, _names(form)), as_typed=True)
    again = _asked(shown, step["id"])
    return await _draw(run, shown, again) if again else visit.not_found()


async def _take_files(run: Run, step: Mapping[str, Any]) -> dict[str, str]:
    """Sends on what came with the form; returns what is wrong by field."""
    mistakes: dict[str, str] = {}
    for entry in step["ui"]:
        if entry["type"] != "files":
            continue
        for file in run.visit.form.files(f"q.{entry['field']}"):
            upload_id = run.visit.form.get("upload_id")
            if not UPLOAD_ID.fullmatch(upload_id):
                upload_id = await upload_id_of(run.visit.form.get("press"), entry["field"], file)
            try:
                await run.take(entry["field"], file, upload_id)
            except Refused as refused:
                mistakes[entry["field"]] = f"{file.filename}: {refused.detail}"
    return mistakes


async def _check(run: Run) -> Response:
    """Everything once more before it is sent."""
    shown = await run.load()
    if shown["state"] == "submitted" or not shown["ready"] or shown["next"]:
        return run.visit.go(_address(run, shown))
    visit = run.visit
    sections = [(step, _rows(shown, step, visit)) for step in shown["steps"] if step["asked"]]
    return visit.show("journeys/check.html", run=run, journey=shown, sections=sections, record=await run.record(shown))


def _rows(shown: Mapping[str, Any], step: Mapping[str, Any], visit: Visit) -> list[tuple[str, str | None]]:
    """Label and answer of what was asked in a step."""
    said = {each["field"]: each["text"] for each in shown["summary"] if each["step"] == step["id"]}
    asked = [each for each in questions(step, visit.language, step["fields"]) if each["type"] != "info"]
    return [(each["words"], said.get(each["field"])) for each in asked]


async def _send(run: Run) -> Response:
    """Sends it, once; a press that is repeated leads to the same confirmation."""
    visit = run.visit
    shown = await run.load()
    try:
        await run.send()
    except Refused as refused:
        if refused.code == INVALID:
            step = next(iter(refused.facts.get("steps", ())), None)
            return visit.go(f"{run.base}/steps/{step}" if step else run.base, said="journey.look_again")
        if refused.status not in {403, 409}:
            raise
        reason = await run.reason(shown)
        return visit.show(
            "journeys/refused.html",
            refused.status,
            run=run,
            journey=shown,
            reason=reason,
            refused=refused,
            home=_home(shown),
        )
    if run.secret is None or shown["state"] == "submitted":
        return visit.go(f"{run.base}/sent")
    told = {"summary": shown["summary"], "sent_at": datetime.now(UTC).isoformat()}
    return await confirmed(run, told)


def _names(form: Form) -> list[str]:
    """The fields that stood on the page that was sent."""
    return [each for each in form.get("asked").split(",") if each]


def _given(visit: Visit, step: Mapping[str, Any], asked: list[str]) -> dict[str, Any]:
    """The answers of a step: those of the form, and those kept before to what the form did not ask."""
    before = {name: value for name, value in step["answers"].items() if name not in asked}
    return before | read(step, visit.form, asked, visit.language)


def _asked(shown: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A step if it is asked now."""
    return next((each for each in shown["steps"] if each["id"] == name and each["asked"]), None)


def _answerable(step: Mapping[str, Any]) -> list[str]:
    kinds = {entry["field"]: entry["type"] for entry in step["ui"]}
    return [field for field in step["fields"] if kinds.get(field) != "info"]


def _address(run: Run, shown: Mapping[str, Any]) -> str:
    """Where a submission goes on."""
    if shown["state"] == "submitted":
        return f"{run.base}/sent"
    return f"{run.base}/steps/{shown['next']}" if shown["next"] else f"{run.base}/check"


def _home(shown: Mapping[str, Any]) -> str:
    """The page from which it was begun."""
    if task := shown["task"]:
        return f"/tasks/{task['instance_id']}/{task['step_id']}"
    context = shown["context"]
    return f"/contracts/{context['id']}" if context and context["entity"] == "contract" else "/"


def _way(visit: Visit) -> str:
    return f"?to={CHECK}" if visit.form.get("to") == CHECK else ""


def _invalid(mistakes: Mapping[str, str]) -> Refused:
    listed = [{"path": path, "detail": said} for path, said in mistakes.items()]
    return Refused(422, {"code": INVALID, "mistakes": listed})


async def _nothing() -> None:
    return None
