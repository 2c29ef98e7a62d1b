"""A portal's configuration: the document that people write, and the events that follow from it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given as drawn
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.common import Text
from contracts.portal import InstalmentRules, InstalmentSettings, PortalConfigured
from services.portal.configuration.decider import PORTAL, Configure, SetInstalments
from services.portal.configuration.document import InstalmentsDocument, PortalDocument
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


def of_gas(rules: dict[str, Any]) -> dict[str, Any]:
    return {"instalments": {"by_contract_type": {"gas": rules}}}


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
        ({"instalments": {"minimun_cents": 100}}, "instalments.minimun_cents"),
        ({"instalments": {"down_percent": 101}}, "instalments.down_percent"),
        (of_gas({"once_per_days": 0}), "instalments.by_contract_type.gas.once_per_days"),
        (of_gas({"by_contract_type": {}}), "instalments.by_contract_type.gas.by_contract_type"),
    ],
)
def test_a_mistake_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PortalDocument.model_validate(DOCUMENT | change)
    assert [".".join(str(part) for part in error["loc"]) for error in caught.value.errors()] == [path]


def test_the_portal_of_the_demo_is_such_a_document() -> None:
    folder = Path(__file__).parents[3] / "demo" / "lindenau"
    document = PortalDocument.model_validate(yaml.safe_load((folder / "portal.yaml").read_text(encoding="utf-8")))
    assert document.event().instalments.rules_for("gas").down_percent == 10


def test_an_address_loses_its_last_slash() -> None:
    document = PortalDocument.model_validate(DOCUMENT | {"url": "https://portal.example/lindenau/"})
    assert document.url == "https://portal.example/lindenau"
