"""`portico up` as a whole: everything becomes ready, stays so, can be asked, and goes without a trace."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from cli.stack.background import started
from cli.stack.ports import SERVICES
from cli.stack.report import resident_bytes
from cli.stack.state import Record, State

REPOSITORY = Path(__file__).parents[2]
LIMIT_SECONDS = 60.0
RESIDENT_BYTES = 1.5 * 2**30

pytestmark = pytest.mark.slow


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def everything(record: Record) -> list[psutil.Process]:
    up = psutil.Process(record.pid)
    return [up, *up.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if is_alive(one)]


def is_alive(process: psutil.Process) -> bool:
    """It may end while it is looked at."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def shell(state: State, script: str) -> str:
    """What a person sees who evaluates `portico env` first."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PORTICO_", "PG"))}
    done = subprocess.run(
        ["bash", "-ceu", f'eval "$("{sys.executable}" -m cli.main env)"\n{script}'],
        cwd=REPOSITORY,
        env={**clean, "PORTICO_STATE_DIR": str(state.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def warm(temporary_folder: Path) -> Iterator[tuple[State, Record]]:
    """A stack that was started once before, running."""
    state = State(temporary_folder / ".portico")
    with started(state, "--port-base", "0") as first:
        keep_something(first)
    with started(state, "--port-base", "0") as record:
        yield state, record


def keep_something(record: Record) -> None:
    with psycopg.connect(record.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.lamps AS SELECT 'on' AS state")


def test_a_start_is_small_and_has_the_data_of_the_one_before(warm: tuple[State, Record]) -> None:
    _, record = warm
    resident = resident_bytes(record.pid)
    print(f"{resident / 2**20:.0f} MB resident")  # noqa: T201
    assert resident <= RESIDENT_BYTES
    with psycopg.connect(record.database_url) as connection:
        assert connection.execute("SELECT state FROM public.lamps").fetchone() == ("on",)


def test_every_service_answers_ready_and_docs(warm: tuple[State, Record]) -> None:
    assert set(warm[1].services) == set(SERVICES)
    for url in (*warm[1].services.values(), warm[1].mailbox_url, warm[1].front_url):
        assert httpx.get(f"{url}/health/ready", timeout=5).status_code == 200


def test_one_address_leads_to_every_service(warm: tuple[State, Record]) -> None:
    api = shell(warm[0], 'echo "$PORTICO_API_URL"').strip()
    for service in SERVICES:
        assert httpx.get(f"{api}/{service}/health/ready", timeout=5).status_code == 200
    assert "/api/billing/contracts/{contract_id}/instalment-changes" in httpx.get(f"{api}/openapi.json").json()["paths"]


def test_env_makes_psql_and_curl_work_at_once(warm: tuple[State, Record]) -> None:
    state, record = warm
    assert shell(state, 'psql -tAc "SELECT state FROM public.lamps"').strip() == "on"
    assert shell(state, 'echo "$PORTICO_KAFKA_SERVERS"').strip() == record.kafka_servers
    ask = 'import os, urllib.request as r; q = r.Request(os.environ["PORTICO_BILLING_URL"] + "/ops/status"); '
    ask += 'q.add_header("Authorization", "Bearer " + os.environ["PORTICO_TOKEN"]); print(r.urlopen(q).status)'
    assert shell(state, f"'{sys.executable}' -c '{ask}'").strip() == "200"


def test_status_speaks_to_people_and_programs(warm: tuple[State, Record]) -> None:
    status = json.loads(shell(warm[0], f'"{sys.executable}" -m cli.main status --json'))
    assert [service["service"] for service in status["services"]] == list(SERVICES)
    assert all(service["ready"] for service in status["services"])
    table = shell(warm[0], f'"{sys.executable}" -m cli.main status')
    assert all(service in table for service in SERVICES)


def test_a_killed_service_is_ready_again_by_itself(warm: tuple[State, Record]) -> None:
    state, record = warm
    os.kill(record.pids["billing"], signal.SIGKILL)
    until(lambda: "billing is ready again" in (state.folder / "up.log").read_text())
    assert "billing was ended by SIGKILL; it is started again in 0.5 s." in (state.folder / "up.log").read_text()
    assert httpx.get(f"{record.services['billing']}/health/ready", timeout=5).status_code == 200


def test_down_stops_everything_from_elsewhere(warm: tuple[State, Record]) -> None:
    state, record = warm
    processes = everything(record)
    assert "Stopped" in shell(state, f'"{sys.executable}" -m cli.main down')
    assert not alive(processes)


def test_a_killed_up_leaves_no_process_behind(warm: tuple[State, Record]) -> None:
    """On what `down` has left: a start with data is sooner ready than a first one."""
    state, _ = warm
    if state.running_pid():
        shell(state, f'"{sys.executable}" -m cli.main down')
    with started(state, "--port-base", "0") as record:
        processes = everything(record)
        os.kill(record.pid, signal.SIGKILL)
        until(lambda: not alive(processes))
