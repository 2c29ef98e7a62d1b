"""`portico events` asked wrongly or without a broker: a sentence, and no traceback."""

import pytest

from cli.stack.ports import free_port
from tests.cli.events.conftest import Topics


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tail", "--since", "yesterday"], "'yesterday' is not a place to begin"),
        (["tail", "--service", "lamps"], "There is no service 'lamps'"),
        (["show", "instalments/unheard-of"], "There is no event of a stream 'instalments/unheard-of'"),
        (["show", "billing/9:1"], "billing has no shard 9"),
        (["schema", "Lamp"], "There is no type 'Lamp'"),
        (["tail", "--service", "portal"], "There is no topic"),
    ],
)
def test_mistakes_get_a_sentence(story: Topics, arguments: list[str], says: str) -> None:
    result = story.run(*arguments)
    assert result.exit_code == 1
    assert says in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_no_kafka_is_said_plainly(topic_prefix: str) -> None:
    result = Topics(f"127.0.0.1:{free_port()}", topic_prefix).run("tail")
    assert result.exit_code == 1
    assert "does not answer" in result.stderr
