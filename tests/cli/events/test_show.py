"""`portico events show` and `schema`: one event, a whole stream or a type, wherever it is."""

import json

from typer.testing import CliRunner

from cli.main import app
from tests.cli.events.conftest import BOX, CONTRACT, Topics, at, positions


def test_show_tells_everything_about_an_event(story: Topics) -> None:
    result = story.run("show", at(story, 3)[0])
    assert result.exit_code == 0
    for fact in ("MessageSent", "message/1, version 1", "staff/anna", '"recipient": "[sealed contact/1]"', "offset 0"):
        assert fact in result.stdout


def test_show_as_json_has_the_data_as_it_was_published(story: Topics) -> None:
    shown = json.loads(story.run("show", at(story, 3)[0], "--json").stdout)
    assert shown["data"] == {"recipient": BOX, "subject": ""}
    assert (shown["type"], shown["stream"], shown["version"]) == (
        "portico.notifications.MessageSent.v1",
        "message/1",
        1,
    )
    assert shown["metadata"] == {"actor": "staff/anna"}


def test_show_lists_a_stream_once_whatever_was_published_twice(story: Topics) -> None:
    story.publish(story.published[0], story.published[2])
    assert positions(story.run("show", CONTRACT, "--json")) == at(story, 0, 2)
    repeated = story.run("tail", "--no-follow", "--json", "--stream", CONTRACT).stdout.splitlines()
    assert sum("repeated" in json.loads(line) for line in repeated) == 2


def test_a_stream_is_found_wherever_it_was_put(story: Topics) -> None:
    """A topic may have more partitions than the log has shards."""
    lost = story.event("entities", "EntityDeleted", "contract/7", 5, {"id": "7"})
    elsewhere = lost._replace(position=lost.position._replace(shard=1 - lost.position.shard))
    story.publish(elsewhere)
    assert positions(story.run("show", "contract/7", "--json")) == [str(elsewhere.position)]


def test_any_position_is_found_also_among_repetitions_and_rubbish(topics: Topics) -> None:
    topics.make("billing")
    records = [topics.event("billing", "InstalmentChanged", "instalments/1", n, {"n": n}) for n in range(1, 31)]
    rubbish = records[0].position
    topics.put(rubbish, b"rubbish", [], b"?")
    for number in (*range(10), *range(5, 20), *range(12, 30)):
        topics.publish(records[number])
    topics.put(rubbish, b"rubbish", [], b"?")
    for record in (records[0], records[6], records[15], records[19], records[29]):
        assert positions(topics.run("show", str(record.position), "--json")) == [str(record.position)]
    missing = topics.run("show", str(rubbish._replace(sequence=31)))
    assert missing.exit_code == 1
    assert "There is no event" in missing.stderr


def test_schema_prints_the_published_schema() -> None:
    result = CliRunner().invoke(app, ["events", "schema", "InstalmentChanged"])
    assert json.loads(result.stdout)["$id"] == "urn:portico:billing:InstalmentChanged:v1"
