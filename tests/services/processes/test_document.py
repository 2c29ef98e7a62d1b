"""A process as people write it: the form of FORMATS.md, its defaults, and what is told when it is wrong."""

from typing import Any

import pytest
import yaml

from chassis.documents import InvalidDocument
from contracts.processes import Automation, GroupAssignee, RoleAssignee, StaffAssignee
from services.processes.app import TEXTS
from services.processes.definitions.decider import DEFINITION, Define
from services.processes.document import ProcessDocument, read_process
from tests.services.processes.plans import DOCUMENT
from tests.support import given

FORMATS = """
process: cancellation
"on": contract
steps:
  - id: check
    title: {de: Daten werden auf Vollständigkeit geprüft, en: We check your details}
    assign: {group: customer_service}
    info: {customer: {de: Das dauert, en: It takes time}}
  - id: proof
    title: {de: Nachweis einreichen, en: Send proof}
    assign: customer
    journey: upload_proof
    due: {days: 14}
    info: {customer: {de: Laden Sie hoch, en: Upload}, installer: {de: Der Kunde, en: The customer}}
    when: [{contract.cancel_reason: {is: moving}}]
  - id: confirmed
    title: {de: Kündigung bestätigt, en: Cancellation confirmed}
    automation: [{mail: {template: cancellation_confirmed, to: installer}}]
"""


def read(document: dict[str, Any]) -> ProcessDocument:
    return read_process("cancellation", document, TEXTS, "en")


def test_the_document_of_the_formats_page_is_a_plan() -> None:
    check, proof, confirmed = read(yaml.safe_load(FORMATS)).plans()
    assert check.assign == GroupAssignee(group="customer_service")
    assert proof.assign == RoleAssignee(role="customer")
    assert (check.shown_to, proof.shown_to, confirmed.shown_to) == (
        ("customer",),
        ("customer", "installer"),
        ("customer",),
    )
    assert (proof.journey, proof.done_on, proof.due_days) == ("upload_proof", "confirm", 14)
    mail = {"template": "cancellation_confirmed", "to": "installer", "attach": []}
    assert confirmed.automation == (Automation(kind="mail", parameters=mail),)


def test_every_automation_and_assignment_has_its_form() -> None:
    step = {
        "id": "all",
        "title": {"de": "a", "en": "a"},
        "assign": {"staff": "otto"},
        "shown_to": [],
        "automation": [
            {"set": {"stage": "checked"}},
            {"start_process": {"process": "refund"}},
            {"confirm_cancellation": {}},
        ],
    }
    (plan,) = read({**DOCUMENT, "title": {"de": "Kündigung", "en": "Cancellation"}, "steps": [step]}).plans()
    assert plan.assign == StaffAssignee(staff_id="otto")
    assert plan.shown_to == ()
    assert [each.kind for each in plan.automation] == ["set", "start_process", "confirm_cancellation"]
    assert plan.automation[0].parameters == {"set": {"stage": "checked"}}


def changed(**step: Any) -> dict[str, Any]:
    return {**DOCUMENT, "steps": [{**DOCUMENT["steps"][0], **step}]}


WORDS = {"de": "x" * 4_000, "en": "y" * 4_000}
LONG = [{**DOCUMENT["steps"][0], "id": f"s{number}", "description": WORDS} for number in range(40)]


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({**DOCUMENT, "process": "other"}, "process"),
        ({**DOCUMENT, "steps": []}, "steps"),
        ({**DOCUMENT, "steps": [DOCUMENT["steps"][0]] * 2}, "steps.1.id"),
        ({name: value for name, value in DOCUMENT.items() if name != "on"}, "on"),
        (changed(title={"de": "nur deutsch"}), "steps.0.title.en"),
        (changed(asign="customer"), "steps.0.asign"),
        (changed(assign="postman"), "steps.0.assign"),
        (changed(done_on="submit"), "steps.0.done_on"),
        (changed(when=[{"weather.sun": {"is": True}}]), "steps.0.when"),
        (changed(when=[{"any": [{"not": [{"weather.sun": {"is": True}}]}]}]), "steps.0.when"),
        (changed(when=[{"contract.status": {"resembles": "active"}}]), "steps.0.when"),
        (changed(due={"weeks": 2}), "steps.0.due.weeks"),
        (changed(automation=[{}]), "steps.0.automation.0"),
        (changed(automation=[{"mail": None}]), "steps.0.automation.0"),
        (changed(automation=[{"mail": {"template": "a"}, "set": {"a": 1}}]), "steps.0.automation.0"),
        (changed(automation=[{"mail": {"template": "a", "attach": ["b"]}}]), "steps.0.automation.0.mail.attach"),
        (changed(automation=[{"fax": {}}]), "steps.0.automation.0.fax"),
        ({**changed(automation=[{"confirm_cancellation": {}}]), "on": "meter"}, "steps.0.automation.0"),
        ({**DOCUMENT, "steps": LONG}, ""),
    ],
)
def test_a_mistake_is_told_with_its_place_in_both_languages(document: dict[str, Any], path: str) -> None:
    for language in ("de", "en"):
        with pytest.raises(InvalidDocument) as caught:
            read_process("cancellation", document, TEXTS, language)  # type: ignore[arg-type]  # both are languages
        places = {mistake.path for mistake in caught.value.mistakes}
        assert any(place == path or (path and place.startswith(f"{path}.")) for place in places), caught.value.mistakes
        assert all(mistake.detail and "document_" not in mistake.detail for mistake in caught.value.mistakes)


def test_the_same_is_no_new_version_however_it_is_written() -> None:
    first = list(DEFINITION.decide(Define(read(DOCUMENT)), DEFINITION.initial))
    assert [event.process_version for event in first] == [1]  # type: ignore[attr-defined]  # it is a ProcessDefined
    spelled_out = {**DOCUMENT, "responsible": None, "steps": [{**step} for step in DOCUMENT["steps"]]}
    spelled_out["steps"][0]["done_on"] = "confirm"
    given(DEFINITION, *first).when(Define(read(spelled_out))).then()
    (second,) = DEFINITION.decide(Define(read(changed())), DEFINITION.fold(DEFINITION.initial, first))
    assert second.process_version == 2  # type: ignore[attr-defined]  # it is a ProcessDefined
