"""A portal's configuration: the document that people write, and the events that follow from it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given as drawn
from hypothesis import strategies as st

from chassis.documents import InvalidDocument, read_document
from chassis.texts import LANGUAGES
from contracts.common import Language, Text
from contracts.portal import Design, InstalmentRules, InstalmentSettings, Permission, PortalConfigured
from services.portal.app import TEXTS
from services.portal.configuration.appearance import Appearance
from services.portal.configuration.checks import checked, warnings_of
from services.portal.configuration.colours import contrast_of, palette
from services.portal.configuration.decider import PORTAL, Configure, SetInstalments
from services.portal.configuration.document import EXAMPLE, PortalDocument
from services.portal.configuration.instalments import InstalmentsDocument
from services.portal.configuration.svg import UnsafeSvg, sanitised
from services.portal.definitions.shape import Shape, shape_of
from services.portal.definitions.views import Journey
from tests.services.portal.events import CONTACT_SCHEMA, CONTRACT_SCHEMA
from tests.support import given

DOCUMENT: dict[str, Any] = {
    "portal": "customers",
    "audience": "customer",
    "name": {"de": "Mein Lindenau", "en": "My Lindenau"},
    "url": "https://portal.lindenau.example",
    "instalments": {"down_percent": 20, "by_contract_type": {"gas": {"down_percent": 10, "once_per_days": None}}},
}
CONFIGURED = PortalConfigured(
    portal_id="customers",
    audience="customer",
    name=Text(de="Mein Lindenau", en="My Lindenau"),
    url="https://portal.lindenau.example",
    instalments=InstalmentSettings(
        default=InstalmentRules(down_percent=20),
        by_contract_type={"gas": InstalmentRules(down_percent=10, once_per_days=None)},
    ),
)


def test_a_document_becomes_the_event() -> None:
    assert PortalDocument.model_validate(DOCUMENT).event() == CONFIGURED


def test_a_new_portal_is_configured() -> None:
    given(PORTAL).when(Configure(CONFIGURED)).then(CONFIGURED)


def test_the_same_again_is_no_event() -> None:
    given(PORTAL, CONFIGURED).when(Configure(CONFIGURED)).then()
    given(PORTAL, CONFIGURED).when(SetInstalments(CONFIGURED.instalments)).then()


def test_a_difference_is_an_event_with_the_whole() -> None:
    other = CONFIGURED.model_copy(update={"url": "https://other.example"})
    given(PORTAL, CONFIGURED).when(Configure(other)).then(other)


def test_instalment_rules_change_alone() -> None:
    settings = InstalmentSettings(default=InstalmentRules(up_percent=None))
    changed = CONFIGURED.model_copy(update={"instalments": settings})
    given(PORTAL, CONFIGURED).when(SetInstalments(settings)).then(changed)


def test_a_portal_that_is_not_there_has_no_rules_to_change() -> None:
    given(PORTAL).when(SetInstalments(InstalmentSettings())).rejects("portal_not_found")


def test_what_a_type_leaves_out_is_as_in_all_others() -> None:
    document = InstalmentsDocument.model_validate(
        {"minimum_cents": 500, "by_contract_type": {"gas": {"up_percent": 5}}}
    )
    assert document.settings().rules_for("gas") == InstalmentRules(minimum_cents=500, up_percent=5)
    assert document.settings().rules_for("electricity") == InstalmentRules(minimum_cents=500)


RULES = st.builds(
    InstalmentRules,
    down_percent=st.none() | st.integers(0, 100),
    up_percent=st.none() | st.integers(0, 10_000),
    minimum_cents=st.integers(0, 10**9),
    days_before_due=st.integers(0, 366),
    once_per_days=st.none() | st.integers(1, 3_660),
    not_while_overdue=st.booleans(),
)
SETTINGS = st.builds(
    InstalmentSettings,
    default=RULES,
    by_contract_type=st.dictionaries(st.sampled_from(["gas", "heat", "electricity"]), RULES),
)


@drawn(SETTINGS)
def test_a_document_written_out_and_read_again_says_the_same(settings: InstalmentSettings) -> None:
    event = CONFIGURED.model_copy(update={"instalments": settings})
    written = PortalDocument.of(event).model_dump_json(exclude_unset=True)
    assert PortalDocument.model_validate_json(written).event() == event


SHAPES: dict[str, Shape] = {
    "contract": shape_of("contract", CONTRACT_SCHEMA),
    "contact": shape_of("contact", CONTACT_SCHEMA),
}
CANCELLATION = Journey(title=Text(de="Kündigen", en="Cancel"), access="portal", context="contract")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" /></svg>'


def say(language: Language) -> Any:
    return lambda code, **facts: TEXTS.say(code, language, facts)


def accepted(change: dict[str, Any], shapes: dict[str, Shape] = SHAPES, language: Language = "en") -> PortalDocument:
    return checked(read_document(PortalDocument, DOCUMENT | change, language), shapes, say(language))


def mistakes(change: dict[str, Any], shapes: dict[str, Shape] = SHAPES, language: Language = "en") -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        accepted(change, shapes, language)
    return {mistake.path: mistake.detail for mistake in caught.value.mistakes}


def of_gas(rules: dict[str, Any]) -> dict[str, Any]:
    return {"instalments": {"by_contract_type": {"gas": rules}}}


def action(**change: Any) -> dict[str, Any]:
    return {"actions": [EXAMPLE["actions"][0] | change]}


def link(**change: Any) -> dict[str, Any]:
    return {"links": [EXAMPLE["links"][0] | change]}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"portal": "Customers!"}, "portal"),
        ({"audience": "cats"}, "audience"),
        ({"name": {"de": "Nur Deutsch"}}, "name.en"),
        ({"name": {"de": " ", "en": "x"}}, "name.de"),
        ({"url": "portal.lindenau.example"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "https://portal.example/?a=b"}, "url"),
        ({"url": "https://[broken"}, "url"),
        ({"colour": "green"}, "colour"),
        ({"design": {"brand": "green"}}, "design.brand"),
        ({"design": {"logo": "logo.svg"}}, "design.logo"),
        ({"instalments": {"minimun_cents": 100}}, "instalments.minimun_cents"),
        ({"instalments": {"down_percent": 101}}, "instalments.down_percent"),
        (of_gas({"once_per_days": 0}), "instalments.by_contract_type.gas.once_per_days"),
        (of_gas({"by_contract_type": {}}), "instalments.by_contract_type.gas.by_contract_type"),
        ({"registration": {"assign_by": "magic"}}, "registration.assign_by"),
        ({"registration": {"second_identification": ["number"]}}, "registration.second_identification.0"),
        ({"registration": {"second_identification": ["meter.number"]}}, "registration.second_identification.0"),
        ({"registration": {"second_identification": ["contract.nummer"]}}, "registration.second_identification.0"),
        ({"permissions": {"contract": {"see": ["generals"]}}}, "permissions.contract.see.0"),
        ({"permissions": {"contract": {"see": ["number"], "change": ["product"]}}}, "permissions.contract.change.0"),
        ({"permissions": {"contract": {"sees": []}}}, "permissions.contract.sees"),
        (action(journey="Cancel It"), "actions.0.journey"),
        (action(when=[{"contract.status": {"equals": "active"}}]), "actions.0.when.0.contract.status"),
        (action(when=[{"contract.state": {"is": "active"}}]), "actions.0.when.0"),
        (action(when=[{"contract.status": {"is": "aktiv"}}]), "actions.0.when.0"),
        (action(when=[{"any": [{"not": {"order.status": {"is": "x"}}}]}]), "actions.0.when.0.any.0.not"),
        ({"actions": [*action()["actions"], *action()["actions"]]}, "actions.1.id"),
        (link(to="http://example.org"), "links.0.to"),
        (link(to="javascript:alert(1)"), "links.0.to"),
        (link(when=[{"contract.status": {"is": "active"}}]), "links.0.when.0"),
        ({"texts": {"welcome": {"de": "x", "en": "y"}}}, "texts.welcome"),
        ({"texts": {"start.welcome": {"de": "x"}}}, "texts.start.welcome.en"),
        ({"embed": ["https://www.example.org/page"]}, "embed.0"),
        ({"embed": ["http://www.example.org"]}, "embed.0"),
        ({"embed": ["https://user@example.org"]}, "embed.0"),
    ],
)
def test_a_mistake_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    told = [mistakes(change, language=language) for language in LANGUAGES]
    assert [list(each) for each in told] == [[path], [path]]
    assert all(detail and not detail.startswith("document_") for each in told for detail in each.values())
    assert told[0] != told[1]


def test_a_mistake_says_what_would_be_right() -> None:
    detail = mistakes({"permissions": {"contract": {"see": ["generals"]}}})["permissions.contract.see.0"]
    assert "general" in detail
    assert "status" in detail
    values = mistakes(action(when=[{"contract.status": {"one_of": ["active", "aktiv"]}}]))["actions.0.when.0"]
    assert "aktiv" in values
    assert "in_cancellation" in values


def test_the_document_of_the_formats_is_accepted_as_it_is() -> None:
    event = accepted(EXAMPLE).event()
    assert event.permissions["contract"] == Permission(see=("general", "cancellation"))
    assert [each.id for each in event.actions] == ["cancel"]
    assert [(each.id, each.place) for each in event.links] == [("report-an-outage", None)]
    assert event.texts == {"start.welcome": Text(de="Willkommen!", en="Welcome!")}
    again = PortalDocument.of(event).model_dump_json(exclude_unset=True)
    assert PortalDocument.model_validate_json(again).event() == event


def test_names_are_not_checked_while_their_schema_is_not_known() -> None:
    unknown = {"permissions": {"order": {"see": ["anything"], "change": ["anything"]}}}
    document = accepted(unknown | action(place="order", when=[{"order.state": {"is": "x"}}]))
    told = {each.path for each in warnings_of(document, SHAPES, {}, say("de"))}
    assert told == {"permissions.order", "actions.0.place", "actions.0.journey"}


def test_ids_that_are_left_out_are_derived_and_stay() -> None:
    nameless = {name: value for name, value in EXAMPLE["actions"][0].items() if name != "id"}
    outage = EXAMPLE["links"][0]
    change = {"actions": [nameless, {**nameless, "id": "cancellation-2"}, nameless], "links": [outage, outage]}
    event = accepted(change).event()
    assert [each.id for each in event.actions] == ["cancellation", "cancellation-2", "cancellation-3"]
    assert [each.id for each in event.links] == ["report-an-outage", "report-an-outage-2"]
    assert PortalDocument.of(event).event() == event
    assert accepted(change).event() == event


def test_journeys_that_cannot_be_begun_are_warned_about() -> None:
    change = action() | link(to="journey:cancellation")
    document = accepted(change)

    def warned(journeys: dict[str, Journey]) -> list[str]:
        return [each.path for each in warnings_of(document, SHAPES, journeys, say("en"))]

    assert warned({}) == ["actions.0.journey", "links.0.to"]
    assert warned({"cancellation": CANCELLATION}) == ["links.0.to"]
    assert warned({"cancellation": CANCELLATION.model_copy(update={"access": "public"})}) == []
    withdrawn = CANCELLATION.model_copy(update={"withdrawn": True})
    assert warned({"cancellation": withdrawn}) == ["actions.0.journey", "links.0.to"]
    elsewhere = CANCELLATION.model_copy(update={"context": "contact", "access": "public"})
    assert warned({"cancellation": elsewhere}) == ["actions.0.place"]


class TestColours:
    def test_a_pale_colour_is_warned_about_and_darkened(self) -> None:
        document = accepted({"design": {"brand": "#F2B705", "accent": "#0b6e4f"}})
        (warning,) = warnings_of(document, SHAPES, {}, say("de"))
        assert warning.path == "design.brand"
        assert palette("#f2b705").text in warning.detail
        brand = Appearance.of(document.event(), {}).brand
        assert (brand.on, brand.text) == ("#000000", palette("#f2b705").text)

    @drawn(st.integers(0, 0xFFFFFF))
    def test_whatever_the_colour_text_can_be_read(self, number: int) -> None:
        found = palette(f"#{number:06x}")
        assert contrast_of(found.on, found.colour) >= 4.5
        assert contrast_of(found.text, "#ffffff") >= 4.5
        assert found.readable == (contrast_of(found.colour, "#ffffff") >= 4.5)

    def test_contrasts_are_those_of_the_guidelines(self) -> None:
        assert contrast_of("#000000", "#ffffff") == 21
        assert round(contrast_of("#777777", "#ffffff"), 2) == 4.48


class TestLogos:
    def test_what_is_safe_stays_and_is_the_same_again(self) -> None:
        document = accepted({"design": {"logo": SVG}})
        assert document.design.logo == SVG
        assert sanitised(sanitised(SVG)) == sanitised(SVG)
        assert document.event().design == Design(brand="#0b6e4f", logo=SVG)

    def test_what_drawing_programs_add_is_left_out(self) -> None:
        drawn = (
            '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd"><!-- a -->'
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:ink="http://ink.example" ink:version="1" viewBox="0 0 8 8">'
            '<metadata>x</metadata><ink:view /><circle cx="4" cy="4" r="4" ink:label="c" /></svg>'
        )
        assert sanitised(drawn) == SVG

    def test_references_inside_the_logo_are_fine(self) -> None:
        inside = SVG.replace("<circle", '<use href="#a" /><circle fill="url(#g)" style="stroke:url( \'#h\' )"')
        assert 'href="#a"' in sanitised(inside)

    @pytest.mark.parametrize(
        "part",
        [
            "<script>alert(1)</script>",
            "<foreignObject />",
            '<image href="https://evil.example/x.png" />',
            '<a href="https://evil.example"><circle r="1" /></a>',
            '<use href="https://evil.example/x.svg#a" />',
            '<use xmlns:x="http://www.w3.org/1999/xlink" x:href="//evil.example#a" />',
            '<circle onclick="alert(1)" />',
            '<circle OnLoad="alert(1)" />',
            '<circle fill="url(https://evil.example/x)" />',
            "<circle style=\"background:url('//evil.example')\" />",
            "<style>@import 'https://evil.example/x.css';</style>",
            "<style>circle { fill: u\\72l(https://evil.example) }</style>",
            '<animate attributeName="href" to="javascript:alert(1)" />',
        ],
    )
    def test_what_runs_or_loads_is_refused(self, part: str) -> None:
        with pytest.raises(UnsafeSvg) as caught:
            sanitised(SVG.replace("</svg>", f"{part}</svg>"))
        assert caught.value.code == "logo_unsafe"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("logo.svg", "logo_no_svg"),
            ('<html xmlns="http://www.w3.org/1999/xhtml" />', "logo_no_svg"),
            ("<svg />", "logo_no_svg"),
            (SVG.replace("</svg>", ""), "logo_no_svg"),
            (SVG.replace("4", "4" * 70_000), "logo_too_large"),
            (SVG.replace("</svg>", "<g />" * 3_000 + "</svg>"), "logo_too_large"),
            (SVG.replace("</svg>", "<g>" * 60 + "</g>" * 60 + "</svg>"), "logo_too_large"),
            ('<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG, "logo_unsafe"),
        ],
    )
    def test_what_is_no_small_svg_is_refused(self, text: str, code: str) -> None:
        with pytest.raises(UnsafeSvg) as caught:
            sanitised(text)
        assert caught.value.code == code


def test_the_portal_of_the_demo_is_such_a_document() -> None:
    file = Path(__file__).parents[3] / "demo/lindenau/portals/customers.yaml"
    document = PortalDocument.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert document.event().instalments.rules_for("gas").down_percent == 10


def test_an_address_loses_its_last_slash() -> None:
    assert accepted({"url": "https://portal.example/lindenau/"}).event().url == "https://portal.example/lindenau"
