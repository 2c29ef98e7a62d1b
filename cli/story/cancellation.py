"""The story of a contract that is cancelled: by its owner, through a journey, followed step by step to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from chassis.texts import ZONE
from cli.story.account import Lines
from cli.story.registration import Scene
from cli.story.stage import Actor, Stage, expect, until

ACTION = "cancel"
NOTE = "Danke für die letzten Jahre."
LIE = ("mietvertrag.pdf", b"<!doctype html><title>No PDF at all</title>", "application/pdf")
PROOF = (
    "kuendigung-wohnung.pdf",
    b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
    "application/pdf",
)
TASK_LINK = r"/tasks/([\w-]+)/([\w-]+)"


@dataclass(frozen=True)
class Case:
    """Whose contract it is, and what has become known of the case so far."""

    scene: Scene
    anna: Actor
    instance_id: str = ""
    ends_on: str = ""

    @property
    def number(self) -> str:
        return self.scene.numbers["V-1001"]

    @property
    def page(self) -> str:
        return f"/contracts/{self.scene.contract_id}"


async def play_cancellation(stage: Stage, scene: Scene, anna: Actor) -> None:
    """From the page of her contract to its end; raises StoryFailed at the first step that does not go as it must."""
    case = Case(scene, anna)
    preview = await she_finds_the_action(stage, case)
    position = await she_goes_through_the_journey(stage, case, preview)
    case = await her_contract_shows_it(stage, case, position, preview)
    await the_rule_refuses_a_second_time(stage, case)
    await staff_check(stage, case)
    await she_does_her_task(stage, case)
    await staff_confirm(stage, case)
    await the_contract_ends(stage, case)


async def she_finds_the_action(stage: Stage, case: Case) -> Any:
    """The page offers the action while its rules hold; billing says when the contract can end."""
    stage.account.chapter(f"{case.anna.name} opens her contract and finds how to cancel it")
    page = await _page(stage, case, case.scene.position)
    expect("the status of the contract", page["contract"]["status"], "active")
    offered = [action["title"]["de"] for action in page["actions"] if action["id"] == ACTION]
    expect("the action on the page", offered, ["Vertrag kündigen"])
    answer = await stage.ask(
        case.anna,
        "GET",
        "billing",
        f"{case.page}/cancellation-preview",
        position=case.scene.position,
        shown=lambda body: [(name, str(body["next_possible"][name])) for name in ("ends_on", "notice", "explanation")],
    )
    expect("what would refuse it", answer.json()["refusal"], None)
    stage.account.checked("The action is there, and she knows the next possible date")
    return answer.json()


async def she_goes_through_the_journey(stage: Stage, case: Case, preview: Any) -> str:
    """Ticket, steps with mistakes told by field, a file that lies, check your answers, send. Returns the position."""
    stage.account.chapter("She goes through the journey")
    record = {"entity": "contract", "id": case.scene.contract_id}
    begun = await _begin(stage, case, {"action": ACTION, "record": record})
    path = f"/submissions/{begun['submission_id']}"
    await _answer(stage, case, f"{path}/steps/reason", {"reason": "moving", "note": NOTE}, 422)
    moving_on = (datetime.now(ZONE).date() + timedelta(days=21)).isoformat()
    await _answer(stage, case, f"{path}/steps/reason", {"reason": "moving", "moving_on": moving_on, "note": NOTE}, 200)
    await _answer(stage, case, f"{path}/steps/date", {"ends_on": preview["next_possible"]["ends_on"]}, 200)
    await _upload(stage, case, path, "anna-proof-1", file=LIE, status=422)
    await _upload(stage, case, path, "anna-proof-2", file=PROOF, status=201)
    stage.account.remark("Her connection breaks; her phone sends the same file again, and it is there once.")
    await _upload(stage, case, path, "anna-proof-2", file=PROOF, status=200)
    shown = await _answer(stage, case, f"{path}/steps/proof", {}, 200)
    expect("whether it can be sent", shown["ready"], True)
    lines = [(answered["label"]["de"], answered["text"]) for answered in shown["summary"]]
    stage.account.page("Check your answers", path, lines)
    expect("the file among her answers", PROOF[0] in dict(lines).values(), True)
    return await _submit(stage, case, path)


async def her_contract_shows_it(stage: Stage, case: Case, position: str, preview: Any) -> Case:
    """The status has changed, the process is there step by step, and what she wrote, where she may see it."""
    stage.account.chapter("Her contract shows what is happening")
    ends_on = preview["next_possible"]["ends_on"]
    requested = await stage.hears("portico.billing.CancellationRequested.v1", contract_id=case.scene.contract_id)
    expect("the requested end", requested.data["ends_on"], ends_on)

    async def arrived() -> Any:
        page = await _page(stage, case, position)
        whole = page["processes"] and page["contract"]["status"] == "in_cancellation" and _note_of(page)
        return page if whole else None

    page = await until("the contract in cancellation, with its process", arrived)
    (process,) = page["processes"]
    steps = [(step["title"]["de"], f"{step['status']}: {(step['info'] or {}).get('de')}") for step in process["steps"]]
    stage.account.page("Her contract", case.page, [("status", page["contract"]["status"]), ("ends", ends_on), *steps])
    expect("what she wrote", _note_of(page), NOTE)
    expect("where the process stands", [step["status"] for step in process["steps"]], ["active", "pending", "pending"])
    submitted = await stage.read(case.anna, "portal", "/requests", position)
    outcomes = {effect["kind"]: effect["status"] for effect in submitted["items"][0]["effects"]}
    expect("what became of each effect", {*outcomes.values()} <= {"done", "under_way"}, True)
    receipt = await stage.mail_with(case.scene.anna.email, submitted["items"][0]["reference"])
    stage.account.checked(f"Status, process, her own words and mail {receipt[0]} with the reference are there")
    return Case(case.scene, case.anna, process["instance_id"], ends_on)


async def the_rule_refuses_a_second_time(stage: Stage, case: Case) -> None:
    """The rule that shows the action no more also refuses its ticket, with the reason."""
    page = await _page(stage, case, case.scene.position)
    expect("the actions on the page now", [each["id"] for each in page["actions"] if each["id"] == ACTION], [])
    wanted = {"action": ACTION, "record": {"entity": "contract", "id": case.scene.contract_id}}
    await stage.ask(case.anna, "POST", "portal", "/tickets", status=403, body=wanted, shown=_refusal)
    stage.account.checked("What is hidden is refused as well")


async def staff_check(stage: Stage, case: Case) -> None:
    """Staff do the first step; the next one is hers, and a mail brings her to it."""
    stage.account.chapter(f"Staff complete the first step; the next one is {case.anna.name}'s")
    await _complete(stage, case, "check")
    heard = await stage.hears("portico.processes.TaskAssigned.v1", instance_id=case.instance_id, step_id="proof")
    expect("whose task it is", heard.data["assignee"]["contact_id"], case.scene.ids[case.scene.numbers["K-1001"]])
    _, link = await stage.mail_with(case.scene.anna.email, TASK_LINK, case.scene.mails[case.scene.anna.email])
    expect("where the link leads", (link[1], link[2]), (case.instance_id, "proof"))
    stage.account.checked("The link of the mail leads to that very matter, and carries no secret")


async def she_does_her_task(stage: Stage, case: Case) -> None:
    """She opens the task, sends the document by its journey, and says that she is done; staff are told."""
    stage.account.chapter("She does what she is asked for")
    task_path = f"/tasks/{case.instance_id}/proof"
    task = await until("the task", lambda: _found(stage, case, task_path))
    stage.account.page("Her task", task_path, [("title", task["title"]["de"]), ("info", task["info"]["de"])])
    begun = await _begin(stage, case, {"task": {"instance_id": case.instance_id, "step_id": "proof"}})
    expect("the journey of the task", begun["journey"], "upload_proof")
    path = f"/submissions/{begun['submission_id']}"
    await _upload(stage, case, path, "anna-proof-3", file=PROOF, status=201)
    await _answer(stage, case, f"{path}/steps/upload", {"remark": "Seite 1 von 1"}, 200)
    position = await _submit(stage, case, path)
    done = await stage.ask(case.anna, "POST", "processes", f"{task_path}/done", position=position)

    async def told() -> Any:
        notices = await stage.read(case.scene.staff, "portal", "/notices?unread=true", done.headers["Portico-Position"])
        mine = (each for each in notices["items"] if case.instance_id in str(each["target"]))
        return next((each for each in mine if each["kind"] == "task_done"), None)

    notice = await until("a notice for staff that she is done", told)
    stage.account.page("Notice for staff", "/notices", [(notice["kind"], notice["title"]["en"])])
    stage.account.checked("Her document is there, the task is done, and staff know")


async def staff_confirm(stage: Stage, case: Case) -> None:
    """The last step confirms the cancellation, and the mail names the day."""
    stage.account.chapter("Staff complete the last step")
    await _complete(stage, case, "confirm")
    confirmed = await stage.hears("portico.billing.CancellationConfirmed.v1", contract_id=case.scene.contract_id)
    expect("the confirmed end", confirmed.data["ends_on"], case.ends_on)
    day = date.fromisoformat(case.ends_on)
    await stage.mail_with(case.scene.anna.email, rf"{case.number} endet mit Ablauf des {day.day}\. \w+ {day.year}")

    async def completed() -> Any:
        page = await _page(stage, case, confirmed.id)
        return page if page["processes"][0]["status"] == "completed" else None

    await until("the process to be completed", completed)
    stage.account.checked(f"The mail says that the contract ends on {case.ends_on}")


async def the_contract_ends(stage: Stage, case: Case) -> None:
    """Time passes (in development at once): the contract is terminated at its date, also for the ERP."""
    stage.account.chapter("The day comes")
    after = datetime.combine(date.fromisoformat(case.ends_on) + timedelta(days=1), time(6), ZONE)
    wanted = {"as_of": after.isoformat()}
    await stage.ask(case.scene.operator, "POST", "billing", "/development/timers", body=wanted)
    ended = await stage.hears("portico.billing.ContractTerminated.v1", contract_id=case.scene.contract_id)

    async def terminated() -> Any:
        page = await _page(stage, case, ended.id)
        return page if page["contract"]["status"] == "terminated" else None

    page = await until("the contract to be terminated", terminated)
    lines = [("status", page["contract"]["status"]), ("ended on", str(page["contract"]["ends_on"]))]
    stage.account.page("Her contract", case.page, lines)
    expect("the end on the page", page["contract"]["ends_on"], case.ends_on)
    stage.account.checked("The contract is terminated, and the ERP heard it on the topic")


async def _page(stage: Stage, case: Case, position: str) -> Any:
    return await stage.read(case.anna, "portal", case.page, position)


async def _found(stage: Stage, case: Case, path: str) -> Any:
    tasks = await stage.read(case.anna, "portal", "/tasks")
    wanted = path.split("/")[2:]
    return next((each for each in tasks["items"] if [each["instance_id"], each["step_id"]] == wanted), None)


async def _begin(stage: Stage, case: Case, wanted: dict[str, Any]) -> Any:
    """A ticket of the portal, and with it a submission."""
    ticket = await stage.ask(
        case.anna,
        "POST",
        "portal",
        "/tickets",
        status=201,
        body=wanted,
        shown=lambda body: [("journey", body["journey_id"]), ("good until", body["expires_at"])],
    )
    begun = await stage.ask(
        case.anna,
        "POST",
        "journeys",
        "/submissions",
        status=201,
        body={"ticket": ticket.json()["ticket"]},
        told={"ticket": "…"},
        shown=lambda body: [("steps", ", ".join(step["title"]["de"] for step in body["steps"]))],
    )
    return begun.json()


async def _answer(stage: Stage, case: Case, path: str, answers: dict[str, Any], status: int) -> Any:
    answer = await stage.ask(
        case.anna, "PUT", "journeys", path, status=status, body={"answers": answers}, shown=_mistakes
    )
    return answer.json()


async def _upload(
    stage: Stage, case: Case, path: str, upload_id: str, *, file: tuple[str, bytes, str], status: int
) -> None:
    await stage.ask(
        case.anna,
        "POST",
        "journeys",
        f"{path}/files",
        status=status,
        data={"field": "proof", "upload_id": upload_id},
        files={"file": file},
        told={"field": "proof", "file": file[0], "bytes": len(file[1])},
        shown=_refusal,
    )


async def _submit(stage: Stage, case: Case, path: str) -> str:
    """Sends it; the event is on the topic, sealed. Returns its position."""
    sent = await stage.ask(
        case.anna,
        "POST",
        "journeys",
        f"{path}/submit",
        status=202,
        shown=lambda body: [("reference", body["reference"])],
    )
    heard = await stage.hears("portico.journeys.JourneySubmitted.v1", submission_id=sent.json()["submission_id"])
    expect("her answers in the event", "sealed" in heard.data["answers"], True)
    return sent.headers["Portico-Position"]


async def _complete(stage: Stage, case: Case, step: str) -> None:
    path = f"/instances/{case.instance_id}/steps/{step}/complete"
    await stage.ask(
        case.scene.staff, "POST", "processes", path, shown=lambda body: [("now at", str(body["active_step"]))]
    )


def _note_of(page: Any) -> Any:
    """What the page shows of the attribute that her words were mapped to."""
    attributes = [each for group in page["groups"] for each in group["attributes"]]
    return next((each["value"] for each in attributes if each["name"] == "cancel_note"), None)


def _mistakes(body: Any) -> Lines:
    return [(each["path"], each["detail"]) for each in body.get("mistakes", ())] or [("next", str(body.get("next")))]


def _refusal(body: Any) -> Lines:
    return [("detail", body["detail"])] if "detail" in body else []
