"""`/users`: portal users with both statuses, by filters, with the columns that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.pages.staff.desk import pages_around, portal_options
from gateway.routing import Pages
from gateway.visit import Away, Visit

PAGE = 50
COLUMNS = (
    "email",
    "portal_id",
    "registration",
    "assignment",
    "contact_name",
    "contact_number",
    "registered_at",
    "activated_at",
    "signed_in_at",
    "mailed_at",
    "expires_at",
    "assigned_by",
    "already_customer",
    "language",
)
USUAL = ("email", "portal_id", "registration", "assignment", "contact_name", "registered_at")
ALWAYS = ("name", "email", "registration", "assignment", "blocked", "erased", "contact_id", "contact_refusal")
REGISTRATIONS = ("activation_sent", "invited", "registered")
ASSIGNMENTS = ("pending", "assigned")
FILTERS = ("search", "portal_id", "registration", "assignment", "blocked", "contact_id")

pages = Pages("staff")


@pages.get("/users")
async def users(visit: Visit) -> Response:
    asked = filters_of(visit.query)
    columns = [each for each in COLUMNS if each in visit.request.query_params.getlist("columns")] or list(USUAL)
    wanted = ",".join(dict.fromkeys([*ALWAYS, *columns]))
    parts = await visit.together(
        page=visit.get("identity", "/users", **asked, columns=wanted, after=visit.query.get("after", ""), limit=PAGE),
        portals=visit.get("portal", "/portals"),
    )
    if isinstance(parts.page, Away):
        raise parts.page
    portals = parts.portals["items"] if parts.portals else []
    export = urlencode({**asked, "columns": ",".join(["name", *columns])})
    return visit.show(
        "staff/users/table.html",
        items=parts.page["items"],
        columns=columns,
        heads=[visit.say(f"users.{each}") for each in columns],
        column_options=[(each, visit.say(f"users.{each}")) for each in COLUMNS],
        registration_options=[(each, visit.say(f"users.registration_{each}")) for each in REGISTRATIONS],
        assignment_options=[(each, visit.say(f"users.assignment_{each}")) for each in ASSIGNMENTS],
        portal_options=portal_options(visit, parts.portals),
        portals={each["portal"]: each["name"] for each in portals},
        filtered=bool(asked),
        export=f"/users/export?{export}",
        around=pages_around(visit, parts.page["next"]),
    )


def filters_of(query: Mapping[str, str]) -> dict[str, str]:
    """The filters of the table as the API knows them."""
    return {name: query[name][:200] for name in FILTERS if query.get(name)}
