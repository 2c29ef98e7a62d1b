"""Members of staff, and the table of portal users that they work with."""

import csv
import io
from datetime import timedelta

import httpx
import pytest

from contracts.common import Language
from services.identity.access.passwords import Passwords
from services.identity.lifetimes import STAFF_SESSION_LIFETIME
from tests.services.identity.world import OTHER_PASSWORD, PASSWORD, World, address, refusal


async def member(world: World, **more: object) -> tuple[str, dict[str, object]]:
    """A member of staff; returns his address and what registering answered."""
    email = address()
    body = {"email": email, "name": "Sam Service", "groups": ["customer_service"], **more}
    answered = await world.post("/staff", body, "operator")
    assert answered.status_code == 201, answered.text
    return email, answered.json()


async def staff_session(world: World, email: str, password: str = PASSWORD) -> httpx.Response:
    return await world.post("/staff/sessions", {"email": email, "password": password})


async def test_staff_set_their_password_and_work(world: World) -> None:
    email, registered = await member(world)
    assert refusal(await staff_session(world, email), 401) == "sign_in_refused"
    body = {"token": registered["token"], "password": PASSWORD}
    assert (await world.post("/passwords", body)).status_code == 204
    assert refusal(await world.post("/passwords", body), 409) == "link_used"
    session = (await staff_session(world, email)).json()
    assert (session["groups"], session["roles"]) == (["customer_service"], ["staff"])
    token = (await world.token(session["session"])).json()
    assert (token["role"], token["name"], token["subject"]) == (
        "staff",
        "Sam Service",
        f"staff/{registered['staff_id']}",
    )
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await world.client.get("/users", headers=headers)).status_code == 200


async def test_groups_and_roles_change_and_a_block_is_at_once(world: World) -> None:
    email, registered = await member(world, password=PASSWORD, roles=["staff"])
    assert registered["token"] is None
    session = (await staff_session(world, email)).json()["session"]
    path = f"/staff/{registered['staff_id']}"
    change = {"groups": ["billing", "customer_service"], "roles": ["operator", "staff"]}
    changed = await world.ask("PUT", path, change, "operator")
    assert changed.status_code == 204
    assert (await world.token(session)).json()["role"] == "operator"
    position = {"Portico-Position": changed.headers["portico-position"]}
    listed = await world.ask("GET", "/staff", role="staff", params={"group": "billing"}, headers=position)
    assert [one["email"] for one in listed.json()["items"]] == [email]

    assert (await world.post(f"{path}/block", {}, "operator")).status_code == 204
    assert refusal(await world.token(session), 401) == "session_ended"
    assert refusal(await staff_session(world, email), 401) == "sign_in_refused"
    assert (await world.post(f"{path}/unblock", {}, "operator")).status_code == 204
    session = (await staff_session(world, email)).json()["session"]
    world.clock.ahead += STAFF_SESSION_LIFETIME
    assert refusal(await world.token(session), 401) == "session_ended"


async def test_another_password_ends_sessions_of_staff(world: World) -> None:
    email, registered = await member(world, password=PASSWORD)
    session = (await staff_session(world, email)).json()["session"]
    made = await world.post(f"/staff/{registered['staff_id']}/password-links", {}, "operator")
    assert (await world.post("/passwords", {"token": made.json()["token"], "password": OTHER_PASSWORD})).is_success
    assert refusal(await world.token(session), 401) == "session_ended"
    assert (await staff_session(world, email, OTHER_PASSWORD)).status_code == 200


async def test_a_sign_in_while_the_password_changes_begins_no_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, registered = await member(world, password=PASSWORD)
    made = await world.post(f"/staff/{registered['staff_id']}/password-links", {}, "operator")
    matches = Passwords.matches

    async def meanwhile(self: Passwords, phc: str | None, password: str) -> bool:
        right = await matches(self, phc, password)
        body = {"token": made.json()["token"], "password": OTHER_PASSWORD}
        assert (await world.post("/passwords", body)).status_code == 204
        return right

    monkeypatch.setattr(Passwords, "matches", meanwhile)
    assert refusal(await staff_session(world, email), 401) == "sign_in_refused"
    monkeypatch.undo()
    assert (await staff_session(world, email, OTHER_PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "sam"}, "invalid_email"),
        ({"groups": ["Customer Service"]}, "invalid_group"),
        ({"roles": []}, "invalid_roles"),
        ({"roles": ["god"]}, "invalid_roles"),
        ({"password": "sam service sam"}, "invalid_password_personal"),
    ],
)
async def test_what_does_not_fit_is_refused(world: World, change: dict[str, object], code: str) -> None:
    body = {"email": address(), "name": "Sam Service", **change}
    assert refusal(await world.post("/staff", body, "operator"), 422) == code


async def test_an_address_is_one_member_of_staff(world: World) -> None:
    email, _ = await member(world)
    taken = await world.post("/staff", {"email": email.upper(), "name": "Somebody"}, "operator")
    assert refusal(taken, 409) == "staff_exists"
    assert refusal(await world.ask("PUT", "/staff/nobody", {"groups": [], "roles": ["staff"]}, "operator"), 404)


async def test_an_erased_member_of_staff_is_shut_out(world: World) -> None:
    email, registered = await member(world, password=PASSWORD)
    session = (await staff_session(world, email)).json()["session"]
    erase = f"/persons/staff/{registered['staff_id']}/erase"
    assert (await world.post(erase, {"reason": "left the company"}, "operator")).status_code == 200
    await world.until(
        "SELECT FROM view_staff_v1 WHERE key = %s AND (doc->>'blocked')::boolean", str(registered["staff_id"])
    )
    assert refusal(await world.token(session), 401) == "session_ended"
    assert email not in str(await world.rows("SELECT doc FROM view_staff_v1"))


async def users(world: World, position: str = "", **params: object) -> list[dict[str, object]]:
    headers = {"Portico-Position": position} if position else {}
    answered = await world.ask("GET", "/users", role="staff", params=params, headers=headers)
    assert answered.status_code == 200, answered.text
    items: list[dict[str, object]] = answered.json()["items"]
    return items


async def test_the_table_tells_registration_and_assignment_apart(world: World) -> None:
    portal = await world.portal("table")
    known, unknown = address(), address()
    contact_id = await world.contact(email=known, first_name="Anna", last_name="Sommer")
    first = await world.register(known, portal, name="Anna Sommer")
    second = await world.activated(unknown, portal, name="Cleo Neumann", already_customer=False)
    await world.assigned(first)
    blocked = await world.post(f"/users/{second}/block", {"reason": "a test"}, "staff")
    await world.until("SELECT FROM view_user_rows_v2 WHERE key = %s AND doc->'row'->>'contact_id' IS NOT NULL", first)
    position = blocked.headers["portico-position"]
    rows = {row["user_id"]: row for row in await users(world, position, portal_id=portal)}
    assert set(rows) == {first, second}
    anna, cleo = rows[first], rows[second]
    assert (anna["registration"], anna["assignment"], anna["assigned_by"]) == ("activation_sent", "assigned", "email")
    assert (anna["contact_id"], anna["contact_name"]) == (contact_id, "Anna Sommer")
    assert (cleo["registration"], cleo["assignment"], cleo["blocked"]) == ("registered", "pending", True)
    for filters, expected in (
        ({"registration": "registered"}, {second}),
        ({"assignment": "assigned"}, {first}),
        ({"blocked": True}, {second}),
        ({"blocked": False}, {first}),
        ({"contact_id": contact_id}, {first}),
        ({"search": "NEUMANN"}, {second}),
        ({"search": known[:8]}, {first}),
        ({"search": "%"}, set()),
        ({"search": "Neumann", "assignment": "assigned"}, set()),
    ):
        assert {row["user_id"] for row in await users(world, portal_id=portal, **filters)} == expected, filters
    (chosen,) = await users(world, portal_id=portal, columns="email,assignment", search="Neumann")
    assert chosen == {"user_id": second, "email": unknown, "assignment": "pending"}
    refused = await world.ask("GET", "/users", role="staff", params={"columns": "email,password"})
    assert refusal(refused, 422) == "invalid_column"


@pytest.mark.parametrize(("language", "headings"), [("de", ["E-Mail", "Name", "Zuordnungsstatus"]), ("en", ["E-mail"])])
async def test_the_table_is_exported(world: World, language: Language, headings: list[str]) -> None:
    portal = await world.portal(f"export-{language}")
    for name in ("=cmd|' /C calc'!A0", 'Müller; "Söhne"', "Zoë"):
        await world.register(address(), portal, name=name)
    await world.until(
        "SELECT FROM view_user_rows_v2 WHERE doc->'row'->>'portal_id' = %s GROUP BY () HAVING count(*) = 3", portal
    )
    answered = await world.ask(
        "GET",
        "/users",
        role="staff",
        params={"portal_id": portal, "columns": "email,name,assignment"},
        headers={"Accept": "text/csv", "Accept-Language": language},
    )
    assert answered.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(io.StringIO(answered.text.removeprefix("\ufeff")), delimiter=";"))
    assert lines[0][: len(headings)] == headings
    assert sorted(line[1] for line in lines[1:]) == sorted(["'=cmd|' /C calc'!A0", 'Müller; "Söhne"', "Zoë"])
    assert {line[2] for line in lines[1:]} == {"Ausstehend" if language == "de" else "Pending"}


async def test_pages_go_through_all_users(world: World) -> None:
    portal = await world.portal("pages")
    expected = {await world.register(address(), portal) for _ in range(5)}
    await world.until(
        "SELECT FROM view_user_rows_v2 WHERE doc->'row'->>'portal_id' = %s GROUP BY () HAVING count(*) = 5", portal
    )
    found: list[str] = []
    after: str | None = ""
    for _ in range(10):
        page = (
            await world.ask("GET", "/users", role="staff", params={"portal_id": portal, "limit": 2, "after": after})
        ).json()
        found += [row["user_id"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert (len(found), set(found)) == (5, expected)


async def test_one_user_with_the_contacts_that_he_may_be(world: World) -> None:
    email = address()
    both = {await world.contact(email=email, first_name="Ben", last_name="Krüger") for _ in range(2)}
    user_id = await world.register(email)
    await world.until("SELECT FROM view_user_rows_v2 WHERE key = %s", user_id)
    details = (await world.ask("GET", f"/users/{user_id}", role="staff")).json()
    assert details["standing"] == "identify"
    assert {candidate["contact_id"] for candidate in details["candidates"]} == both
    assert {candidate["name"] for candidate in details["candidates"]} == {"Ben Krüger"}
    world.clock.ahead += timedelta(seconds=1)
    assert refusal(await world.ask("GET", "/users/nobody", role="staff"), 404) == "user_not_found"
