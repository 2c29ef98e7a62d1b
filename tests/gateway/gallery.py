"""`make screenshots`: the stories are played, and every page and state that they pass is photographed on the way.

Afterwards every page is walked through, and what goes wrong is brought about. The pictures are in build/screenshots.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from chassis.texts import LANGUAGES
from cli.seeding.feeder import Target, applied, feed
from cli.seeding.generator import customers
from cli.stack.background import started
from cli.stack.state import State
from cli.story.stage import ERP_IN, Stage
from cli.token import development_token
from contracts.common import Language
from tests.gateway.pictures.camera import Camera, Photographed
from tests.gateway.pictures.place import Set
from tests.gateway.pictures.portal import an_installer, journeys_for_everybody, strangers, the_story
from tests.gateway.pictures.staff import acting, what_staff_do
from tests.gateway.pictures.trouble import what_goes_wrong
from tests.gateway.story.cast import How, cast

FOLDER = Path("build/screenshots")
NEIGHBOURS, SEED = 60, 1


def main() -> None:
    begun = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    camera = Camera(FOLDER)
    with stack() as state:
        for language in LANGUAGES:
            asyncio.run(photograph(state, camera, language))
    index = camera.write_index()
    sys.stdout.write(f"{len(camera.pictures)} pictures in {time.monotonic() - begun:.0f} s: {index}\n")
    if missing := camera.missing():
        sys.exit("No picture of:\n  " + "\n  ".join(missing))


@contextmanager
def stack() -> Iterator[State]:
    """The one that PORTICO_TEST_STATE_DIR names, or one of its own."""
    if given := os.environ.get("PORTICO_TEST_STATE_DIR"):
        yield State(Path(given))
        return
    with tempfile.TemporaryDirectory(prefix="portico-gallery-") as folder:
        state = State(Path(folder) / ".portico")
        with started(state, "--port-base", "0"):
            yield state


async def photograph(state: State, camera: Camera, language: Language) -> None:
    """Everything in a language."""
    record = state.record()
    async with cast(record, How(language, 1280, javascript=True)) as people:
        windows = {
            name: Photographed(page=each.page, base=each.base, camera=camera, language=language)
            for name, each in people.windows.items()
        }
        stage = Set(state, record, camera, replace(people, windows=windows))
        await neighbours(stage.cast.stage)
        await strangers(stage)
        await the_story(stage)
        await an_installer(stage)
        await journeys_for_everybody(stage)
        await what_staff_do(stage)
        await acting(stage)
        await what_goes_wrong(stage)


async def neighbours(stage: Stage) -> None:
    """Company for those of the story, so that tables are as full as they are in life."""
    place = stage.place
    token = await asyncio.to_thread(development_token, place.services["identity"], "operator")
    topic = f"{place.topic_prefix}.{ERP_IN}"
    target = Target(place.services["entities"], place.services["billing"], place.kafka_servers, topic, token)
    fed = await feed(target, customers(NEIGHBOURS, SEED, datetime.now(UTC).date()), lambda *_: None)
    await applied(target, fed, lambda *_: None)


if __name__ == "__main__":
    main()
