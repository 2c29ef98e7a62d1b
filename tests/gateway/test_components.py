"""The components and shells as HTML: what pages rely on when they write a line such as `ui.amount(...)`."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from gateway.rendering import HERE, typeset
from tests.gateway.world import CUSTOMERS, STAFF, World, soup, user, visiting

LONGEST_SCRIPT = 80


async def styleguide(language: str = "en", query: str = "", host: str = CUSTOMERS) -> BeautifulSoup:
    async with visiting(World(development=True), host, language=language) as browser:
        answer = await browser.get(f"/styleguide{query}")
    assert answer.status_code == 200
    return soup(answer)


@pytest.mark.parametrize("shell", ["portal", "public", "embedded", "staff"])
@pytest.mark.parametrize("language", ["de", "en"])
async def test_every_component_stands_in_every_shell(shell: str, language: str) -> None:
    page = await styleguide(language, f"?shell={shell}&said=yes", STAFF if shell == "staff" else CUSTOMERS)
    assert [each["lang"] for each in page.select("html")] == [language]
    assert len(page.select("main h1")) >= 1
    assert page.select_one("[role=status]") is not None
    assert page.select("[style], [onclick], script:not([src])") == []


async def test_the_style_guide_is_for_development_only() -> None:
    async with visiting(World()) as browser:
        assert (await browser.get("/styleguide")).status_code == 404


async def test_ids_are_unique_and_labels_lead_to_fields() -> None:
    page = await styleguide()
    ids = [each["id"] for each in page.select("[id]")]
    assert sorted(ids) == sorted(set(ids))
    assert [label["for"] for label in page.select("label") if label["for"] not in ids] == []
    named = {name for each in page.select("[aria-describedby]") for name in str(each["aria-describedby"]).split()}
    assert named - set(ids) == set()


async def test_a_mistake_is_in_the_summary_and_at_its_field() -> None:
    page = await styleguide()
    links = [link["href"] for link in page.select(".errors a")]
    assert links == ["#f-email", "#f-reason"]
    assert len(page.select("#f-email[aria-invalid=true][aria-describedby~=f-email-error]")) == 1


async def test_what_a_person_reads_follows_his_language_also_for_plain_figures() -> None:
    german, english = await styleguide("de"), await styleguide("en")
    figures = [str(page.select(".figure-value")[1].get_text()).replace("\xa0", " ") for page in (german, english)]
    assert figures == ["95,00 €", "€95.00"]
    amounts = [page.select_one("#f-amount") for page in (german, english)]
    assert [each["value"] for each in amounts if each] == ["95,50", "95.50"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Strom · V-1001", "Strom\xa0· V-1001"),
        ("E-Mail-Adresse", "E\u2011Mail-Adresse"),
        ("by e-mail", "by e\u2011mail"),
        ("the e-book", "the e-book"),
    ],
)
def test_no_line_ends_within_what_belongs_together(written: str, shown: str) -> None:
    assert typeset(written) == shown


async def test_catalogues_and_templates_are_set_alike() -> None:
    async with visiting(World()) as browser:
        page = (await browser.get("/sign-in")).text
    assert "E\u2011Mail-Adresse" in page
    assert "E-Mail-Adresse" not in page


async def test_a_header_without_actions_leaves_no_room_for_them() -> None:
    made = World()
    made.answer("GET", "portal", "/notices", {"items": [], "next": None})
    async with visiting(made, owner=user()) as browser:
        page = soup(await browser.get("/notices"))
    assert page.select_one("main .header h1") is not None
    assert page.select_one("main .header-actions") is None


async def test_the_amount_so_far_stands_above_the_slider() -> None:
    field = (await styleguide()).select_one("#f-amount")
    assert field is not None
    assert "f-amount-current" in str(field["aria-describedby"]).split()
    current = field.find_previous(id="f-amount-current")
    assert current is not None
    assert current.get_text() == "At present: €95.00"


async def test_every_form_carries_proof_and_press() -> None:
    page = await styleguide()
    forms = page.select("form[method=post]")
    assert len(forms) > 3
    for form in forms:
        assert [each["name"] for each in form.select("[name=proof][value], [name=press][value]")] == ["proof", "press"]


async def test_a_cell_names_its_column_for_phones() -> None:
    page = await styleguide()
    for row in page.select("tbody tr"):
        assert all(cell["data-label"] for cell in row.select("td, th"))


async def test_whoever_acts_as_a_customer_sees_it_and_can_end_it() -> None:
    page = await styleguide("en", "?acting=yes")
    said = " ".join(each.get_text() for each in page.select(".acting"))
    assert [name for name in ("Anna Sommer", "Maria Lindner") if name not in said] == []
    assert len(page.select(".acting form[action='/acting/end'] button")) == 1
    assert (await styleguide("en")).select_one(".acting") is None


def test_scripts_are_small_and_loaded_and_need_nothing_from_elsewhere() -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "scripts").glob("*.js")}
    everything = [*scripts.values(), *(path.read_text(encoding="utf-8") for path in HERE.rglob("*.html"))]
    loaded = {
        name for name in scripts if any(f'"./{name}"' in text or f'asset("{name}")' in text for text in everything)
    }
    assert loaded == scripts.keys()
    assert [name for name, text in scripts.items() if text.count("\n") > LONGEST_SCRIPT] == []
    assert [name for name, text in scripts.items() if "://" in text or "eval(" in text] == []
