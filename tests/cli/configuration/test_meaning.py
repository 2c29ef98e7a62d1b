"""What documents mean by their services' models: defaults and spelling make no difference, misspelt keys are flaws."""

from __future__ import annotations

from typing import Any

from cli.configuration.kinds import JOURNEY, PORTAL, PROCESS
from cli.configuration.meaning import flaws, plain, same
from cli.configuration.remote import Remark

TITLE = {"de": "A", "en": "A"}
PORTAL_DOCUMENT: dict[str, Any] = {
    "portal": "customers",
    "audience": "customer",
    "name": TITLE,
    "url": "https://portal.example.org",
    "links": [{"title": {"de": "Störung", "en": "Report an outage"}, "to": "https://example.org"}],
}
PROCESS_DOCUMENT: dict[str, Any] = {"process": "p", "on": "contract", "steps": [{"id": "a", "title": TITLE}]}


def test_defaults_make_no_difference() -> None:
    written = PORTAL_DOCUMENT | {"enabled": True, "instalments": {"down_percent": 20}, "embed": []}
    assert same(PORTAL, PORTAL_DOCUMENT, written)
    assert not same(PORTAL, PORTAL_DOCUMENT, PORTAL_DOCUMENT | {"enabled": False})
    assert same(PROCESS, PROCESS_DOCUMENT, PROCESS_DOCUMENT | {"responsible": None})


def test_ids_that_are_made_make_no_difference() -> None:
    links = [{**PORTAL_DOCUMENT["links"][0], "id": "report-an-outage"}]
    assert same(PORTAL, PORTAL_DOCUMENT, PORTAL_DOCUMENT | {"links": links})
    assert not same(PORTAL, PORTAL_DOCUMENT, PORTAL_DOCUMENT | {"links": [{**links[0], "id": "other"}]})


def test_what_goes_without_saying_is_not_said() -> None:
    assert "instalments" not in plain(PORTAL, PORTAL_DOCUMENT | {"instalments": {"down_percent": 20}})
    assert plain(PROCESS, PROCESS_DOCUMENT | {"responsible": None}) == PROCESS_DOCUMENT


def test_what_cannot_be_read_is_itself() -> None:
    assert plain(JOURNEY, {"journey": "x", "nonsense": 1}) == {"journey": "x", "nonsense": 1}


def test_flaws_have_their_place() -> None:
    assert flaws(PROCESS, PROCESS_DOCUMENT) == []
    (flaw,) = flaws(PROCESS, PROCESS_DOCUMENT | {"steps": [{"id": "a", "titel": TITLE, "title": TITLE}]})
    assert flaw.path == "steps.0.titel"
    assert flaw.detail.startswith("'titel' is unknown here; perhaps title is meant.")
    assert flaws(JOURNEY, {"journey": "x", "title": TITLE, "steps": []}) == [
        Remark("steps", "needs at least 1 entries")
    ]
