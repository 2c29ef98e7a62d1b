"""The story that `make demo` tells, on everything that `portico up` starts: twice, as the demo can be played again."""

from __future__ import annotations

import ast
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.testing import eventually
from cli.stack.background import started
from cli.stack.state import State
from cli.story import erp
from cli.story.papers import AMOUNT_CENTS, Papers
from cli.story.plot import play
from cli.story.stage import Place, Stage, set_up
from cli.story.utility import FOLDER
from contracts.erp import BillingEvent, InstalmentPlan
from services.portal.pages.views import INSTALMENTS
from tests.conftest import temporary_state
from tests.spans import Collected, collector
from tests.story.recorded import Recorded


@pytest.fixture(scope="module")
def traces() -> Iterator[Collected]:
    with collector() as collected:
        yield collected


@pytest.fixture(scope="module")
def place(traces: Collected) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as environment, temporary_state() as folder:
        environment.setenv("PORTICO_OTLP_ENDPOINT", traces.url)
        with started(State(folder / ".portico"), "--port-base", "0") as record:
            yield Place.of(record)


@pytest.fixture
async def recorded(place: Place) -> AsyncIterator[tuple[Recorded, Stage]]:
    account = Recorded()
    async with set_up(place, account) as stage:
        yield account, stage


@pytest.mark.slow
@pytest.mark.parametrize("number", ["V-1001", "V-1001-2"])
async def test_the_story_of_an_instalment(recorded: tuple[Recorded, Stage], number: str) -> None:
    account, stage = recorded
    await play(stage)
    told = [heard.type.removeprefix("portico.billing.").removesuffix(".v1") for heard in account.events]
    assert told == [
        "InstalmentPlanSet",
        "BillingEventRecorded",
        "BillingEventRecorded",
        "InstalmentChanged",
        "InstalmentConfirmed",
        "InstalmentChanged",
        "InstalmentRefused",
    ]
    assert {message.key for message in account.messages} == {number}
    assert [answer["code"] for _, status, answer in account.answers if status == 409] == [
        "payment_overdue",
        "below_lower_limit",
        "changed_too_recently",
    ]
    assert account.subjects[0].startswith("Ihr Wunsch ist eingegangen: Abschlag 85,00")
    assert account.subjects[1].startswith("Bestätigt")
    assert account.subjects[3].startswith("Ihr Abschlag bleibt bei 85,00")
    last = account.pages[-1]
    assert (last["instalment"].partition(" from ")[0], "requested" in last) == ("€85.00", False)
    assert last["last decision"].startswith("€75.00 refused: Nach Ihrem letzten Zählerstand")
    assert account.checks[-1].startswith("Four events, four mails")


@pytest.mark.slow
async def test_a_change_is_one_trace_from_the_request_to_the_page_and_the_mail(place: Place, traces: Collected) -> None:
    async with set_up(place, Recorded()) as stage:
        await play(stage)
    wanted = {
        ("portico-billing", "POST /contracts/{contract_id}/instalment-changes"),
        ("portico-portal", f"{INSTALMENTS.consumer}"),
        ("portico-notifications", "reaction:messages"),
        ("portico-notifications", "send mail"),
    }

    async def one_trace() -> bool:
        return wanted <= traces.trace_of("portico-billing", "POST /contracts/{contract_id}/instalment-changes")

    await eventually(one_trace, 20)


def test_the_erp_of_the_story_knows_nothing_of_portico() -> None:
    tree = ast.parse(Path(erp.__file__).read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    modules = {name.partition(".")[0] for name in names}
    assert modules - set(sys.stdlib_module_names) == {"aiokafka"}


@given(st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_on_every_day_a_change_is_possible_and_the_papers_fit_the_contract(today: date) -> None:
    papers = Papers.of("V-1", today)
    assert papers.due[0] - today >= timedelta(days=10)
    assert list(papers.due) == sorted(set(papers.due))
    InstalmentPlan.model_validate({"contract": "V-1", **papers.plan()})
    bills = [BillingEvent.model_validate({"contract": "V-1", **bill}) for bill in papers.billing_events()]
    assert [bill.kind for bill in bills if bill.status == "open" and bill.due_on < today] == ["dunning_fee"]
    assert all(bill.paid_on is None or bill.paid_on <= today for bill in bills)
    assert {item["amount_cents"] for item in papers.schedule(100, papers.due[1])} == {AMOUNT_CENTS, 100}


def test_the_utility_of_the_demo_is_there() -> None:
    assert {"contacts.csv", "contracts.csv", "customers.yaml"} <= {path.name for path in FOLDER.rglob("*")}
