"""`/templates/{portal}/{template}`: the wording of a mail in both languages, its preview, and the way back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.routing import Pages
from gateway.visit import Form, Refused, Visit

pages = Pages("staff")
LANGUAGES = ("de", "en")
FIELDS = ("subject", "preview", "body", "text")
EMPTY = dict.fromkeys(FIELDS, "")
CHANGED_MEANWHILE = 412
MISSING = 404
FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
Wordings = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Mail:
    """A mail of a portal: its standard wording, its own one, and the version of that. `known` is what it can name."""

    portal: Mapping[str, Any]
    template: str
    known: Mapping[str, Any]
    standard: Wordings
    own: Wordings
    etag: str

    @property
    def path(self) -> str:
        return f"/templates/{quote(self.portal['portal'], safe='')}/{quote(self.template, safe='')}"

    @property
    def api(self) -> str:
        return f"/portals/{quote(self.portal['portal'], safe='')}/templates/{quote(self.template, safe='')}"

    @property
    def wordings(self) -> Wordings:
        return {language: self.own.get(language) or self.standard[language] for language in LANGUAGES}

    @property
    def version(self) -> str:
        """What a form was made of. The API knows no version of a wording that is not there."""
        return hashlib.sha256(json.dumps(self.own, sort_keys=True).encode()).hexdigest()[:16]

    def document(self, wordings: Wordings) -> dict[str, Any]:
        """The document of these wordings; a language that is worded as usual is left out."""
        own = {language: said for language, said in wordings.items() if said != self.standard[language]}
        return {"template": self.template, "portal": self.portal["portal"], **own}


@pages.get("/templates/{portal_id}/{template}")
async def template(visit: Visit) -> Response:
    mail = await _mail(visit)
    return _page(visit, mail, mail.wordings)


@pages.post("/templates/{portal_id}/{template}")
async def change(visit: Visit) -> Response:
    mail = await _mail(visit)
    typed = typed_wordings(visit.form)
    if visit.form["seen"] != mail.version:
        return _page(visit, mail, typed, changed=True)
    document = mail.document(typed)
    try:
        if set(document) & set(LANGUAGES):
            await visit.put("notifications", mail.api, document, **_guard(mail))
        else:
            await visit.delete("notifications", mail.api, **_guard(mail))
    except Refused as refused:
        return _page(visit, mail, typed, refused=refused, changed=refused.status == CHANGED_MEANWHILE)
    return visit.go(mail.path, said="templates.saved")


@pages.get("/templates/{portal_id}/{template}/reset")
async def ask_to_reset(visit: Visit) -> Response:
    mail = await _mail(visit)
    return visit.show("staff/templates/reset.html", mail=mail) if mail.own else visit.not_found()


@pages.post("/templates/{portal_id}/{template}/reset")
async def reset(visit: Visit) -> Response:
    mail = await _mail(visit)
    await visit.delete("notifications", mail.api, **_guard(mail))
    portal_id = quote(mail.portal["portal"], safe="")
    return visit.go(f"/templates?portal={portal_id}", said="templates.reset_done")


@pages.get("/templates/{portal_id}/{template}/preview")
async def preview(visit: Visit) -> Response:
    """What the frame beside the editor shows first: the mail as it is kept."""
    mail = await _mail(visit)
    return await _preview(visit, mail, mail.wordings)


@pages.post("/templates/{portal_id}/{template}/preview")
async def preview_of_typed(visit: Visit) -> Response:
    """What the frame shows of a wording that nobody has kept yet, or what is wrong with it."""
    return await _preview(visit, await _mail(visit), typed_wordings(visit.form))


def typed_wordings(form: Form) -> Wordings:
    """What was typed, with the line breaks that documents have."""
    return {
        language: {field: form[f"{language}.{field}"].replace("\r\n", "\n") for field in FIELDS}
        for language in LANGUAGES
    }


async def _mail(visit: Visit) -> Mail:
    """The mail of the address. Raises Refused 404 for a portal that there is not."""
    portal_id, name = quote(visit.path["portal_id"], safe=""), quote(visit.path["template"], safe="")
    portal = await visit.get("portal", f"/portals/{portal_id}")
    infos = {each["template"]: each for each in (await visit.get("notifications", "/templates"))["items"]}
    own, etag = await _own(visit, f"/portals/{portal_id}/templates/{name}")
    info = infos.get(visit.path["template"], {"needs_link": False, "variables": _common(infos)})
    standard: Wordings = dict.fromkeys(LANGUAGES, EMPTY)
    if visit.path["template"] in infos:
        standard = await visit.get("notifications", f"/templates/{name}")
    return Mail(
        portal,
        visit.path["template"],
        info,
        {language: standard[language] for language in LANGUAGES},
        own,
        etag,
    )


async def _own(visit: Visit, path: str) -> tuple[Wordings, str]:
    try:
        answer = await visit.send("GET", "notifications", path)
    except Refused as refused:
        if refused.status != MISSING:
            raise
        return {}, ""
    found = answer.json()
    return {language: found[language] for language in LANGUAGES if found.get(language)}, answer.headers.get("ETag", "")


def _common(infos: Mapping[str, Any]) -> dict[str, Any]:
    """What every mail can name."""
    all_of_them = [each["variables"] for each in infos.values()]
    first = all_of_them[0] if all_of_them else {}
    return {name: value for name, value in first.items() if all(name in each for each in all_of_them)}


def _guard(mail: Mail) -> dict[str, str]:
    return {"If_Match": mail.etag} if mail.etag else {}


def _page(
    visit: Visit, mail: Mail, wordings: Wordings, *, refused: Refused | None = None, changed: bool = False
) -> Response:
    return visit.show(
        "staff/templates/editor.html",
        status=refused.status if refused else CHANGED_MEANWHILE if changed else 200,
        mail=mail,
        wordings=wordings,
        changed=changed,
        refused=None if changed else refused,
        mistakes=refused.mistakes if refused else {},
        opened={path.partition(".")[0] for path in refused.mistakes} if refused else set(),
        language=visit.form.get("shown_language", visit.language),
    )


async def _preview(visit: Visit, mail: Mail, wordings: Wordings) -> Response:
    """A whole page for a frame: the mail as HTML, or as text. Nothing of it runs, and it loads nothing."""
    language = visit.form.get("shown_language") or visit.query.get("language", visit.language)
    language = language if language in LANGUAGES else visit.language
    shows_text = (visit.form.get("shown_part") or visit.query.get("part", "")) == "text"
    found: dict[str, Any] = {}
    mistakes: dict[str, str] = {}
    if wordings[language] != EMPTY:
        try:
            found = await visit.post("notifications", f"{mail.api}/preview", mail.document(wordings))
        except Refused as refused:
            mistakes = refused.mistakes or {"": refused.detail}
    response = visit.show(
        "staff/templates/preview.html",
        shown=found.get(language),
        language=language,
        shows_text=shows_text,
        mistakes=mistakes,
        portal=mail.portal,
    )
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
