"""Worlds for the guarantees, the long form's order, and the figures at the end of a run."""

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import temporary_state
from tests.guarantees import plan as plans
from tests.guarantees.harness import World, make_topics, world
from tests.guarantees.plan import Plan

_told: list[Plan] = []


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Iterator[Plan]:
    made = Plan(request.node.nodeid.rpartition("/")[2])
    yield made
    _told.append(made)


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_state() as path:
        yield path


@pytest.fixture
async def our_world(fresh_database: str, kafka_servers: str, folder: Path) -> AsyncIterator[World]:
    """A database, topics and processes of one test, on the servers of the run."""
    with world(fresh_database, kafka_servers, folder) as made:
        await make_topics(made.settings)
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    ours = [item for item in items if here in item.path.parents]
    if plans.LONG:
        for item in ours:
            item.add_marker(pytest.mark.timeout(plans.SECONDS))
        if len(ours) == len(items):
            random.Random(plans.SEED).shuffle(items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _told:
        return
    terminalreporter.section(f"guarantees, PORTICO_SEED={plans.SEED}")
    for made in sorted(_told, key=lambda made: made.name):
        name = made.name.partition("::")[2].removeprefix("test_").replace("_", " ")
        figures = ", ".join(f"{figure} {what}" for what, figure in made.figures.items())
        terminalreporter.write_line(f"{made.name[5:7]} {name}: {figures}")
