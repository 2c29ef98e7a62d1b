"""Templates over HTTP: what there is, how a portal words it, and how it looks before and after it is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from chassis.auth import Principal, allow
from chassis.errors import NotFound
from chassis.http import CommandRequest, answer
from chassis.streams import Streams
from chassis.texts import LANGUAGES, Texts, language_of
from chassis.views import ViewReader
from contracts.common import Language
from contracts.notifications import Wording
from services.notifications.recipients.views import PortalDoc
from services.notifications.templates import render as templates
from services.notifications.templates.catalog import MAILS, mail_of
from services.notifications.templates.document import (
    PORTAL_ID,
    TEMPLATE_ID,
    TemplateDocument,
    read_template,
    standard_document,
)
from services.notifications.wordings.decider import WORDING, Word, wording_id
from services.notifications.wordings.state import Wordings
from services.notifications.wordings.views import OwnWordings, document

PREVIEW_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"

Configurer = Annotated[Principal, Depends(allow("staff", "operator"))]
PortalPath = Annotated[str, Path(pattern=PORTAL_ID, description="The portal, e.g. customers")]
TemplatePath = Annotated[str, Path(pattern=TEMPLATE_ID, description="The template, e.g. receipt")]
Document = Annotated[dict[str, Any], Body(description="The wording per language: subject, preview, body, text")]
Accept = Annotated[str | None, Header(alias="Accept-Language")]
Fresh = Callable[..., Awaitable[None]]


class TemplateInfo(BaseModel):
    """A template that there is for every portal."""

    template: str
    needs_link: bool = Field(description="Whether `{{ link }}` must stand in body and text")
    variables: dict[str, Any] = Field(description="What can be named, with sample values")


class TemplateList(BaseModel):
    """All templates."""

    items: list[TemplateInfo]


class WordingList(BaseModel):
    """What a portal words itself, as documents."""

    items: list[dict[str, Any]]
    next: None = None


class Preview(BaseModel):
    """A mail as its reader gets it, with sample values."""

    subject: str
    html: str
    text: str


def router(streams: Streams, own: OwnWordings, portals: ViewReader[PortalDoc], texts: Texts, fresh: Fresh) -> APIRouter:
    """`fresh` waits until the list shows the position that the caller names."""
    api = APIRouter(tags=["templates"])
    _add_standard(api)
    _add_reading(api, streams, own, fresh)
    _add_writing(api, streams, texts)
    _add_previews(api, streams, portals, texts)
    return api


def _add_standard(api: APIRouter) -> None:
    @api.get("/templates")
    async def all_templates(_: Configurer, accept_language: Accept = None) -> TemplateList:
        """The templates that there are, and what each can name, with examples in the language of Accept-Language."""
        return TemplateList(items=[_info(name, language_of(accept_language)) for name in templates.names()])

    @api.get("/templates/{template}")
    async def standard_template(template: TemplatePath, _: Configurer) -> dict[str, Any]:
        """The standard wording, to begin with."""
        if template not in MAILS:
            raise NotFound("template_not_found")
        return standard_document(template)

    @api.get("/templates/{template}/{language}/preview", response_class=HTMLResponse)
    async def preview(template: TemplatePath, language: Language, _: Configurer) -> HTMLResponse:
        """The standard wording with made-up values, as the mail looks."""
        if template not in MAILS:
            raise NotFound("template_not_found")
        return _page(_rendered(template, language, None, None))


def _add_reading(api: APIRouter, streams: Streams, own: OwnWordings, fresh: Fresh) -> None:
    @api.get("/portals/{portal_id}/templates", dependencies=[Depends(fresh)])
    async def wordings(portal_id: PortalPath, _: Configurer) -> WordingList:
        """What a portal words itself."""
        found = await own.of_portal(portal_id)
        return WordingList(items=[doc.document() for doc in sorted(found, key=lambda doc: doc.template)])

    @api.get("/portals/{portal_id}/templates/{template}")
    async def wording(
        portal_id: PortalPath, template: TemplatePath, response: Response, _: Configurer
    ) -> dict[str, Any]:
        """How a portal words a mail; 404 where it has the standard wording in both languages."""
        loaded = await streams.load(WORDING, wording_id(portal_id, template))
        if loaded.state.is_standard:
            raise NotFound("template_not_found")
        response.headers["ETag"] = f'"{loaded.version}"'
        return _document(portal_id, template, loaded.state)


def _add_writing(api: APIRouter, streams: Streams, texts: Texts) -> None:
    @api.put("/portals/{portal_id}/templates/{template}")
    async def put_wording(
        portal_id: PortalPath,
        template: TemplatePath,
        *,
        body: Document,
        request: CommandRequest,
        response: Response,
        _: Configurer,
        accept_language: Accept = None,
    ) -> dict[str, Any]:
        """Words a mail; it is tried out with sample values in both languages first."""
        read = read_template(portal_id, template, body, texts, language_of(accept_language))
        wanted = _wordings(read)
        outcome = await streams.execute(
            WORDING, wording_id(portal_id, template), Word(portal_id, template, wanted), request
        )
        answer(response, outcome)
        return _document(portal_id, template, wanted)

    @api.delete("/portals/{portal_id}/templates/{template}", status_code=204)
    async def standard_again(
        portal_id: PortalPath, template: TemplatePath, request: CommandRequest, response: Response, _: Configurer
    ) -> None:
        """Takes back the standard wording."""
        command = Word(portal_id, template, Wordings())
        answer(response, await streams.execute(WORDING, wording_id(portal_id, template), command, request))


def _add_previews(api: APIRouter, streams: Streams, portals: ViewReader[PortalDoc], texts: Texts) -> None:
    @api.get("/portals/{portal_id}/templates/{template}/{language}/preview", response_class=HTMLResponse)
    async def preview_of_portal(
        portal_id: PortalPath, template: TemplatePath, language: Language, _: Configurer
    ) -> HTMLResponse:
        """A mail as it looks in a portal: its wording, name and colour, with made-up values."""
        state = (await streams.load(WORDING, wording_id(portal_id, template))).state
        wording: Wording | None = getattr(state, language)
        if wording is None and template not in MAILS:
            raise NotFound("template_not_found")
        return _page(_rendered(template, language, wording, await portals.get(portal_id)))

    @api.post("/portals/{portal_id}/templates/{template}/preview")
    async def try_out(
        portal_id: PortalPath,
        template: TemplatePath,
        body: Document,
        _: Configurer,
        accept_language: Accept = None,
    ) -> dict[Language, Preview]:
        """How a wording would look that is not kept yet; what is wrong with it is answered as when it is put."""
        read = read_template(portal_id, template, body, texts, language_of(accept_language))
        portal = await portals.get(portal_id)
        previews: dict[Language, Preview] = {}
        for language in LANGUAGES:
            mail = _rendered(template, language, read.in_language(language), portal)
            previews[language] = Preview(subject=mail.subject, html=mail.html, text=mail.text)
        return previews


def _info(name: str, language: Language) -> TemplateInfo:
    known = {**templates.sample(name), **templates.variables(templates.sample_frame(language, name))}
    return TemplateInfo(template=name, needs_link=mail_of(name).link, variables=known)


def _rendered(
    template: str, language: Language, wording: Wording | None, portal: PortalDoc | None
) -> templates.Rendered:
    name = getattr(portal.name, language) if portal else None
    frame = templates.sample_frame(language, template, name, portal.brand if portal else templates.BRAND)
    return templates.render(template, frame, templates.sample(template), wording)


def _page(mail: templates.Rendered) -> HTMLResponse:
    return HTMLResponse(mail.html, headers={"Content-Security-Policy": PREVIEW_POLICY})


def _wordings(read: TemplateDocument) -> Wordings:
    return Wordings(de=read.in_language("de"), en=read.in_language("en"))


def _document(portal_id: str, template: str, wordings: Wordings) -> dict[str, Any]:
    return document(portal_id, template, {"de": wordings.de, "en": wordings.en})
