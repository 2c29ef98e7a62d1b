"""Wordings that editors write: what is allowed, what is refused and where, and that attacks come to nothing quickly."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.documents import InvalidDocument
from chassis.texts import LANGUAGES
from contracts.notifications import TemplateChanged
from services.notifications.app import TEXTS
from services.notifications.templates.document import TemplateDocument, read_template, standard_document
from services.notifications.templates.render import names, render, sample, sample_frame
from services.notifications.templates.sandbox import read_markup
from services.notifications.wordings.decider import WORDING, Word
from services.notifications.wordings.state import Wordings
from tests.support import given as told

QUICK_SECONDS = 1.0


def document(template: str = "receipt", **changes: str) -> dict[str, Any]:
    standard = standard_document(template)
    return {"portal": "customers", **standard, "de": {**standard["de"], **changes}}


def mistakes(written: dict[str, Any], language: Any = "en") -> dict[str, str]:
    started = time.process_time()
    try:
        read_template("customers", written["template"], written, TEXTS, language)
    except InvalidDocument as refused:
        return {mistake.path: mistake.detail for mistake in refused.mistakes}
    finally:
        assert time.process_time() - started < QUICK_SECONDS
    return {}


@pytest.mark.parametrize("name", names())
def test_every_standard_wording_can_be_taken_as_a_portals_own(name: str) -> None:
    assert mistakes(document(name)) == {}


def test_an_own_wording_is_what_the_reader_gets() -> None:
    written = document(
        subject="Danke, {{ reference }}!",
        body="<mj-text>{{ greeting }} <strong>{{ journey | upper }}</strong></mj-text>"
        '<mj-button href="{{ link }}">Los</mj-button>',
        text="{{ greeting }}\n{% if files > 1 %}{{ files }} Dateien{% endif %}\n{{ link }}",
    )
    read = read_template("customers", "receipt", written, TEXTS, "de")
    mail = render("receipt", sample_frame("de"), sample("receipt"), read.in_language("de"))
    assert mail.subject == "Danke, 7K3F-9QXM!"
    assert "VERTRAG KÜNDIGEN" in mail.html
    assert "2 Dateien" in mail.text
    assert render("receipt", sample_frame("en"), sample("receipt"), read.in_language("en")) == render(
        "receipt", sample_frame("en"), sample("receipt")
    )


ATTACKS = [
    "{{ 10**8 }}",
    "{{ 'a' * 10**8 }}",
    "{{ 'a' * 100000000 }}",
    "{{ 'a'.ljust(100000000) }}",
    "{{ '%0100000000d' % 1 }}",
    "{{ '{:>100000000}'.format(1) }}",
    "{{ reference ~ reference }}",
    "{{ reference + reference }}",
    "{{ range(100000000) | join }}",
    "{% for a in range(100000000) %}x{% endfor %}",
    "{% for a in reference %}x{% endfor %}",
    "{% for a in 'aaaa' %}x{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ reference.__class__ }}",
    "{{ reference['__class__'] }}",
    "{{ reference | attr('__class__') }}",
    "{{ portal.name.upper() }}",
    "{{ portal._x }}",
    "{{ portal.get('name') }}",
    "{{ greeting.format }}",
    "{{ self }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum(1000) }}",
    "{{ namespace() }}",
    "{{ dict(a=1) }}",
    "{{ fact('a', 'b') }}",
    "{% include 'layout/layout.txt' %}",
    "{% import 'layout/parts.html' as parts %}",
    "{% from 'layout/parts.html' import fact %}",
    "{% extends 'layout/layout.txt' %}",
    "{% set x = 1 %}",
    "{% macro x() %}{{ x() }}{% endmacro %}",
    "{% block x %}{% endblock %}",
    "{% filter upper %}x{% endfilter %}",
    "{% call x() %}{% endcall %}",
    "{% autoescape false %}{{ reference }}{% endautoescape %}",
    "{{ reference | safe }}",
    "{{ reference | replace('a', 'b') }}",
    "{{ reference | map('upper') }}",
    "{{ {'a': 1} }}",
    "{{ [1, 2] }}",
    "{{ reference[0] }}",
    "{{ '" + "x" * 600 + "' }}",
    "{{ '<b>' }}",
    "{# hidden #}",
    "{% raw %}{{ reference }}{% endraw %}",
    "{{ missing }}",
    "{{ contract.holder }}",
    "{{ link",
    "{% if a %}",
    "{{ " + "not " * 5000 + "files }}",
    "{{ " + "(" * 400 + "files" + ")" * 400 + " or missing }}",
    "{% if files %}" * 40 + "{% endif %}" * 40,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("field", ["subject", "text"])
def test_what_is_not_on_the_list_is_refused_quickly_and_never_run(attack: str, field: str) -> None:
    source = attack if field == "subject" else f"{{{{ link }}}} {attack}"
    if len(source) > 300 and field == "subject":
        return
    assert f"de.{field}" in mistakes(document(**{field: source}))


MARKUP = [
    "<script>alert(1)</script>",
    "<mj-text><script>alert(1)</script></mj-text>",
    '<mj-text onclick="x">a</mj-text>',
    '<mj-text><p style="x">a</p></mj-text>',
    '<mj-text><img src="https://tracker.example/x.gif" /></mj-text>',
    '<mj-text><a href="javascript:alert(1)">a</a></mj-text>',
    '<mj-text><a href="http://example.org">a</a></mj-text>',
    '<mj-text><a href="https://example.org/{{ reference }}">a</a></mj-text>',
    '<mj-text><a href="{{ portal.name }}">a</a></mj-text>',
    '<mj-include path="/etc/passwd" />',
    "<mj-raw><b>a</b></mj-raw>",
    "<mj-raw>words</mj-raw>",
    "<mj-head></mj-head>",
    "<!-- comment -->",
    "<![CDATA[x]]>",
    "<?xml version='1.0'?>",
    "<mj-text>open",
    "<mj-text><b>a</mj-text></b>",
    "</mj-text>",
    "words outside",
    "<p>outside</p>",
    "<mj-text><mj-button>a</mj-button></mj-text>",
    "<mj-text>a & b</mj-text>",
    "<mj-text {{ reference }}>a</mj-text>",
    "{{ '<mj-raw><script>x</script></mj-raw>' }}",
    "<mj-section><mj-text>a</mj-text></mj-section>",
    '<mj-text>{% raw %}{{ <img src="https://evil.example/x"/> }}{% endraw %}</mj-text>',
    '<mj-text>{%- raw -%}{{ <img src="https://evil.example/x"/> }}{%- endraw -%}</mj-text>',
    '<mj-text>{%+ raw %}{% <img src="https://evil.example/x"/> %}{% endraw %}</mj-text>',
    "<mj-text>{%\traw%}{{ <script>x</script> }}{% endraw %}</mj-text>",
    "<mj-text>{{ files <img }}</mj-text>",
]


@pytest.mark.parametrize("markup", MARKUP)
def test_markup_is_a_list_of_tags_and_links_lead_where_they_may(markup: str) -> None:
    button = '<mj-button href="{{ link }}">a</mj-button>'
    assert mistakes(document(body=f"{button}\n{markup}"))
    assert "line 2" in " ".join(mistakes(document(body=f"{button}\n{markup}")).values())


def test_what_jinja_hides_from_the_reading_of_tags_holds_none() -> None:
    for hidden in ("{{ <img src='x'/> }}", "{% <b> %}", "{{ '</mj-text>' }}", "{% if 1 < files %}"):
        assert [flaw.code for flaw in read_markup(f"<mj-text>{hidden}</mj-text>")] == ["template_markup_not_allowed"]
    assert mistakes(document(body="<mj-text>{% if files > 1 %}a{% endif %}{{ link }}</mj-text>")) == {}


@pytest.mark.parametrize(
    ("field", "source"),
    [
        ("text", "Kein Link."),
        ("text", "{% if files %}{{ link }}{% endif %}"),
        ("body", "<mj-text>Kein Link</mj-text>"),
        ("subject", "{{ link }}"),
        ("preview", "{{ link }}"),
    ],
)
def test_a_needed_link_always_stands_and_never_in_the_subject(field: str, source: str) -> None:
    standard = standard_document("activation")
    source = source.replace("files", "to_staff")
    written = {**document("activation"), "de": {**standard["de"], field: source}}
    for language in LANGUAGES:
        assert "link" in mistakes(written, language)[f"de.{field}"].lower()


def test_mistakes_name_place_line_and_what_is_possible_in_both_languages() -> None:
    written = document(text="{{ link }}\n\n{{ contract.numbr }}")
    assert mistakes(written, "de")["de.text"].startswith("Zeile 3: „contract.numbr“ gibt es hier nicht")
    assert "contract.number" in mistakes(written, "en")["de.text"]


def test_a_portals_own_mail_needs_both_languages() -> None:
    both = standard_document("activation")
    words = {"subject": "a", "preview": "b", "body": "<mj-text>{{ greeting }}</mj-text>", "text": "{{ process }}"}
    own = {"portal": "customers", "template": "welcome_letter", "de": words, "en": words}
    assert mistakes(own) == {}
    assert list(mistakes({**own, "en": None})) == ["en"]
    assert list(mistakes({"portal": "customers", "template": "activation", "de": both["de"]})) == []
    for name, value in (("portal", "other"), ("template", "receipt")):
        written = {**document("activation"), name: value}
        with pytest.raises(InvalidDocument) as caught:
            read_template("customers", "activation", written, TEXTS, "en")
        assert name in {mistake.path for mistake in caught.value.mistakes}


@given(st.text(max_size=200))
def test_whatever_is_written_is_kept_and_fills_or_is_refused(source: str) -> None:
    written = {**document(), "de": {**document()["de"], "text": "{{ link }}" + source}}
    try:
        read = read_template("customers", "receipt", written, TEXTS, "en")
    except InvalidDocument:
        return
    assert render("receipt", sample_frame("de"), sample("receipt"), read.in_language("de")).text


PIECES = ["{{ link }}", "a", "<", "{%", "%}", "{{", "}}", "'", "|safe", "(", "<mj-raw>", "__class__", ".", "if", "**"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_wording_raises_anything_but_its_mistakes(source: str) -> None:
    for field in ("text", "body", "subject"):
        mistakes({**document(), "de": {**document()["de"], field: source}})


def test_a_wording_changes_only_when_it_is_another() -> None:
    read = TemplateDocument.model_validate(document())
    wanted = Wordings(read.in_language("de"), read.in_language("en"))
    changed = TemplateChanged(portal_id="customers", template="receipt", de=wanted.de, en=wanted.en)
    told(WORDING).when(Word("customers", "receipt", wanted)).then(changed)
    told(WORDING, changed).when(Word("customers", "receipt", wanted)).then()
    back = TemplateChanged(portal_id="customers", template="receipt", de=None, en=None)
    told(WORDING, changed).when(Word("customers", "receipt", Wordings())).then(back)
    told(WORDING).when(Word("customers", "receipt", Wordings())).then()
