"""`/users/invitations`: many contacts invited into a portal by a file, with a report of each row."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from gateway.pages.staff.desk import csv_file, portal_options
from gateway.routing import Pages
from gateway.visit import Away, Refused, Visit

MOST_ROWS = 500
AT_ONCE = 8
LARGEST_FILE = 512 * 1024
REPORT_SECONDS = 3600
HEADS: Mapping[str, str] = {
    "customer_number": "number",
    "customer number": "number",
    "kundennummer": "number",
    "email": "email",
    "e-mail": "email",
    "e_mail": "email",
    "language": "language",
    "sprache": "language",
}
LANGUAGES = {"de": "de", "deutsch": "de", "german": "de", "en": "en", "englisch": "en", "english": "en"}

pages = Pages("staff")


@dataclass(frozen=True)
class Row:
    """A row of the file, counted as spreadsheets do, and what became of it."""

    row: int
    number: str
    email: str
    language: str
    outcome: str = ""
    reason: str = ""
    user_id: str = ""


@pages.get("/users/invitations")
async def invitations(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, key: str = "") -> Response:
    """The form, and what was wrong with it: `key` is of the sentence."""
    portals = await visit.get("portal", "/portals")
    refused = None
    if key:
        mistake = {"path": "portal" if key == "invitations.no_portal" else "file", "detail": visit.say(key)}
        refused = Refused(422, {"code": "incomplete", "mistakes": [mistake]})
    return visit.show(
        "staff/users/invitations.html",
        refused.status if refused else 200,
        portals=portal_options(visit, portals),
        most=MOST_ROWS,
        refused=refused,
    )


@pages.get("/users/invitations/template")
async def template(visit: Visit) -> Response:
    heads = {"de": ("Kundennummer", "E-Mail", "Sprache"), "en": ("Customer number", "E-mail", "Language")}
    return csv_file("invitations.csv", [heads[visit.language], ("K-1001", "", "de")])


@pages.post("/users/invitations")
async def invite(visit: Visit) -> Response:
    """Invites row by row, a few at a time; whoever was invited before is invited once more, by the same account."""
    uploads, portal = visit.form.files("file"), visit.form["portal"]
    if not uploads or not portal:
        return await _show(visit, "invitations.no_file" if portal else "invitations.no_portal")
    content = await uploads[0].read(LARGEST_FILE + 1)
    try:
        rows = list(read_rows(content))
    except ValueError as mistake:
        return await _show(visit, str(mistake))
    free = asyncio.Semaphore(AT_ONCE)

    async def one(row: Row) -> Row:
        async with free:
            return await _invite(visit, portal, row)

    done = sorted(await asyncio.gather(*map(one, rows)), key=lambda row: (row.outcome != "refused", row.row))
    refused = [asdict(row) for row in done if row.outcome == "refused"]
    return visit.show(
        "staff/users/invitations_report.html",
        rows=done,
        refused=len(refused),
        sealed=visit.box.seal(refused),
    )


@pages.post("/users/invitations/refused")
async def refused_rows(visit: Visit) -> Response:
    """The refused rows as they were sent, with the reason beside them: mend the file and send it again."""
    rows = visit.box.open(visit.form["rows"], REPORT_SECONDS)
    if rows is None:
        return visit.go("/users/invitations")
    heads = ("customer_number", "email", "language", "reason")
    return csv_file("invitations.csv", [heads, *((r["number"], r["email"], r["language"], r["reason"]) for r in rows)])


def read_rows(content: bytes) -> Iterator[Row]:
    """The rows of a file. Raises ValueError with the key of what to say when it cannot be used."""
    if len(content) > LARGEST_FILE:
        raise ValueError("invitations.too_large")
    text = _decoded(content)
    separator = max(";,\t", key=text.partition("\n")[0].count)
    lines = list(csv.reader(io.StringIO(text), delimiter=separator))
    heads = [HEADS.get(head.strip().lower(), "") for head in (lines[0] if lines else [])]
    if "number" not in heads:
        raise ValueError("invitations.no_column")
    rows = [(place, line) for place, line in enumerate(lines[1:], 2) if any(cell.strip() for cell in line)]
    if len(rows) > MOST_ROWS:
        raise ValueError("invitations.too_many")
    for place, line in rows:
        cells: dict[str, Any] = {name: cell.strip() for name, cell in zip(heads, line, strict=False) if name}
        yield Row(place, cells.get("number", ""), cells.get("email", ""), cells.get("language", ""))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


async def _invite(visit: Visit, portal: str, row: Row) -> Row:
    language = LANGUAGES.get(row.language.lower()) if row.language else None
    if not row.number or (row.language and language is None):
        return _refused(row, visit.say("invitations.no_number" if not row.number else "invitations.no_language"))
    try:
        page = await visit.get("entities", "/records/contact", external_id=row.number[:200])
        if not page["items"]:
            return _refused(row, visit.say("invitations.no_contact"))
        invitation = {"contact_id": page["items"][0]["id"], "email": row.email or None, "language": language}
        path = f"/portals/{quote(portal, safe='')}/invitations"
        key = visit.key_for("POST", "identity", f"{path}/{row.row}")
        headers = {"Idempotency-Key": key} if key else {}
        made = await visit.post("identity", path, invitation, **headers)
    except Refused as refused:
        return _refused(row, refused.detail)
    except Away:
        return _refused(row, visit.say("invitations.away"))
    return replace(row, outcome="invited", user_id=made["user_id"])


def _refused(row: Row, reason: str) -> Row:
    return replace(row, outcome="refused", reason=reason)
