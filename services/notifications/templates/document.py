"""A portal's own wording of a mail as people write it, tried out with sample values before it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from jinja2 import TemplateError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from chassis.documents import InvalidDocument, Mistake, read_document
from chassis.texts import LANGUAGES, Texts
from contracts.common import Language
from contracts.notifications import Wording
from services.notifications.templates.catalog import MAILS, mail_of
from services.notifications.templates.render import render, sample, sample_frame, standard, variables
from services.notifications.templates.sandbox import Flaw, read_markup, read_source

TEMPLATE_ID = r"^[a-z][a-z0-9_]{0,39}$"
PORTAL_ID = r"^[a-z][a-z0-9-]{0,62}$"
MAXIMUM_RENDERED = 300_000
FIELDS = ("subject", "preview", "body", "text")
WITHOUT_LINK = {"subject", "preview"}

Line = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]


class WordingDocument(BaseModel):
    """How the mail is worded in one language. `body` is MJML (what stands inside the card), `text` the same as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Line
    preview: Line
    body: Words
    text: Words

    def wording(self) -> Wording:
        return Wording(**self.model_dump())


class TemplateDocument(BaseModel):
    """A mail of a portal. A language that is left out has the standard wording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: Annotated[str, StringConstraints(pattern=TEMPLATE_ID)]
    portal: Annotated[str, StringConstraints(pattern=PORTAL_ID)]
    de: WordingDocument | None = Field(default=None)
    en: WordingDocument | None = Field(default=None)

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, value: Any) -> Any:
        return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value

    def in_language(self, language: Language) -> Wording | None:
        found: WordingDocument | None = getattr(self, language)
        return found.wording() if found else None


def read_template(portal_id: str, template: str, body: Any, texts: Texts, language: Language) -> TemplateDocument:
    """The document of a template. Raises InvalidDocument that names every mistake."""
    document = read_document(TemplateDocument, body, language)
    found = [
        Mistake(path, texts.say(flaw.code, language, {"line": flaw.line, **flaw.facts}) or flaw.code)
        for path, flaw in _mistakes(portal_id, template, document)
    ]
    if found:
        raise InvalidDocument(found)
    return document


def _mistakes(portal_id: str, template: str, document: TemplateDocument) -> Iterator[tuple[str, Flaw]]:
    if document.portal != portal_id:
        yield "portal", Flaw("document_id_differs", 1, {"id": portal_id})
    if document.template != template:
        yield "template", Flaw("document_id_differs", 1, {"id": template})
    for language in LANGUAGES:
        wording = document.in_language(language)
        if wording is not None:
            yield from _mistakes_in(template, language, wording)
        elif template not in MAILS:
            yield language, Flaw("template_needs_both_languages", 1, {})


def _mistakes_in(template: str, language: Language, wording: Wording) -> Iterator[tuple[str, Flaw]]:
    frame = sample_frame(language, template)
    known = {**sample(template), **variables(frame)}
    found = False
    for field in FIELDS:
        source = getattr(wording, field)
        usable = {name: value for name, value in known.items() if name != "link" or field not in WITHOUT_LINK}
        flaws, shows_link = read_source(source, usable, helpers=field == "body")
        if field == "body":
            flaws += read_markup(source)
        if mail_of(template).link and field not in WITHOUT_LINK and not shows_link:
            flaws.append(Flaw("template_link_missing", 1, {}))
        for flaw in flaws:
            found = True
            yield f"{language}.{field}", flaw
    if not found:
        yield from _tried(template, language, wording)


def _tried(template: str, language: Language, wording: Wording) -> Iterator[tuple[str, Flaw]]:
    """What goes wrong with sample values although nothing looks wrong."""
    try:
        mail = render(template, sample_frame(language, template), sample(template), wording)
    except (TemplateError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        yield language, Flaw("template_fails_with_sample", 1, {"problem": str(error)[:200]})
        return
    if len(mail.html) + len(mail.text) > MAXIMUM_RENDERED:
        yield language, Flaw("template_too_large", 1, {"limit": MAXIMUM_RENDERED})
    if not mail.subject:
        yield f"{language}.subject", Flaw("template_subject_empty", 1, {})


def standard_document(template: str) -> dict[str, Any]:
    """The standard wording in the form of a document, to begin with. A name that is none is a KeyError."""
    return {
        "template": template,
        **{language: standard(template, language).model_dump() for language in LANGUAGES},
    }
