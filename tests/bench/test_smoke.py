"""`make bench` in its smallest form: every row runs and says what it measured. How fast is not asserted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.report import BEGIN, DOCUMENT, END, markdown
from bench.rows import ROWS
from bench.table import Line, read

REPOSITORY = Path(__file__).parents[2]
LIMIT_SECONDS = 240

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_SECONDS + 60)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, kafka_servers: str) -> list[Line]:
    """The figures of one smoke run on the servers of the tests."""
    file = tmp_path_factory.mktemp("bench") / "results.json"
    servers = {"PORTICO_TEST_DATABASE_URL": postgres_url, "PORTICO_TEST_KAFKA_SERVERS": kafka_servers}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench", "--smoke", "--json", str(file)],
            cwd=REPOSITORY,
            env={**os.environ, **servers},
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"not within {LIMIT_SECONDS} s, the last words: {(late.stderr or b'').decode()[-2_000:]}")
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "Portico is" in done.stdout
    return read(file)[0]


def test_every_figure_of_every_row_is_measured(results: list[Line]) -> None:
    expected = {(row.key, figure.name) for row in ROWS for figure in row.figures}
    measured = {(line.row, line.figure) for line in results if line.ours and all(sample > 0 for sample in line.samples)}
    assert measured == expected
    assert all(line.samples for line in results if not line.missing)


def test_a_peer_that_is_not_there_says_so(results: list[Line]) -> None:
    absent = [line for line in results if not line.samples]
    assert all(line.missing and not line.ours for line in absent)


def test_the_document_takes_the_figures(results: list[Line]) -> None:
    text = DOCUMENT.read_text()
    assert text.index(BEGIN) < text.index(END)
    table = markdown(results, ["a note"])
    for row in ROWS:
        assert f"**{row.title}**" in table
