"""Signing in, staying in, being shut out; and that nobody learns who has an account, nor guesses his way in."""

import asyncio
import statistics
import time
from datetime import timedelta
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.auth import RemoteKeys, TokenVerifier
from chassis.testing import eventually
from services.identity.access.attempts import FREE_FAILURES
from services.identity.access.passwords import Passwords
from services.identity.access.sessions import Sessions
from services.identity.addresses import normalised
from services.identity.lifetimes import SESSION_IDLE, SESSION_LIFETIME
from services.identity.subjects import user_subject
from services.identity.users.decider import USERS, Assign
from tests.services.identity.world import OTHER_PASSWORD, PASSWORD, World, address, refusal

LOCK = timedelta(seconds=30)


async def known(world: World) -> tuple[str, str]:
    """The address and id of a user who is ready."""
    email = address()
    await world.contact(email=email)
    user_id = await world.activated(email)
    await world.assigned(user_id)
    return email, user_id


def body_of(answered: httpx.Response) -> tuple[int, dict[str, Any]]:
    return answered.status_code, {k: v for k, v in answered.json().items() if k != "correlation_id"}


async def test_a_session_ends_when_it_is_not_used(world: World) -> None:
    email, _ = await known(world)
    session = await world.session(email)
    for _ in range(3):
        world.clock.ahead += SESSION_IDLE - timedelta(minutes=1)
        assert (await world.token(session)).status_code == 200, "use moves the end on"
    world.clock.ahead += SESSION_IDLE
    assert refusal(await world.token(session), 401) == "session_ended"


async def test_a_session_ends_after_a_day_however_much_it_is_used(world: World) -> None:
    email, _ = await known(world)
    session = await world.session(email)
    used = timedelta()
    while used < SESSION_LIFETIME - SESSION_IDLE:
        world.clock.ahead += SESSION_IDLE - timedelta(minutes=1)
        used += SESSION_IDLE - timedelta(minutes=1)
        assert (await world.token(session)).status_code == 200
    world.clock.ahead += SESSION_IDLE
    assert refusal(await world.token(session), 401) == "session_ended"


async def test_signing_out_ends_one_session(world: World) -> None:
    email, _ = await known(world)
    one, other = await world.session(email), await world.session(email)
    for _ in range(2):
        assert (await world.post("/sessions/end", {"session": one})).status_code == 204
    assert refusal(await world.token(one), 401) == "session_ended"
    assert (await world.token(other)).status_code == 200
    assert refusal(await world.token("x" * 43), 401) == "session_ended"


async def test_sessions_are_stored_as_hashes(world: World) -> None:
    email, user_id = await known(world)
    session = await world.session(email)
    ((stored,),) = await world.rows(
        "SELECT encode(session_sha256, 'escape') FROM sessions WHERE subject = %s", user_subject(user_id)
    )
    assert session not in stored


async def test_a_block_ends_all_sessions_at_once(world: World) -> None:
    email, user_id = await known(world)
    session = await world.session(email)
    for _ in range(2):
        assert (await world.post(f"/users/{user_id}/block", {"reason": "a test"}, "staff")).status_code == 204
    assert refusal(await world.token(session), 401) == "session_ended"
    answered = await world.sign_in(email)
    assert (answered.status_code, answered.json()["status"], answered.json()["session"]) == (200, "blocked", None)
    assert refusal(await world.sign_in(email, "a wrong long password"), 401) == "sign_in_refused"
    assert (await world.post(f"/users/{user_id}/unblock", {}, "staff")).status_code == 204
    assert refusal(await world.token(session), 401) == "session_ended", "an old session does not come back"
    assert (await world.sign_in(email)).json()["status"] == "ready"
    assert (await world.happened(user_id)).count("UserBlocked") == 1


async def test_a_session_that_begins_at_the_moment_of_a_block_is_not_good(world: World) -> None:
    email, user_id = await known(world)
    epoch = (await world.service.streams.load(USERS, user_id)).state.epoch  # type: ignore[union-attr]
    await world.post(f"/users/{user_id}/block", {"reason": "a test"}, "staff")
    await world.post(f"/users/{user_id}/unblock", {}, "staff")
    sessions = Sessions(world.service.pool)
    late, _ = await sessions.begin(user_subject(user_id), "customers", epoch, world.clock())
    assert refusal(await world.token(late), 401) == "session_ended"
    assert (await world.token(await world.session(email))).status_code == 200


async def test_access_that_expires_ends_sessions(world: World) -> None:
    email, user_id = await known(world)
    session = await world.session(email)
    expires_at = (world.clock() + timedelta(minutes=10)).isoformat()
    assert (await world.post(f"/users/{user_id}/expiry", {"expires_at": expires_at}, "staff")).status_code == 204
    assert (await world.token(session)).status_code == 200
    world.clock.ahead += timedelta(minutes=10)
    assert refusal(await world.token(session), 401) == "session_ended"
    assert (await world.sign_in(email)).json()["status"] == "expired"
    assert (await world.post(f"/users/{user_id}/expiry", {"expires_at": None}, "staff")).status_code == 204
    assert (await world.sign_in(email)).json()["status"] == "ready"


async def test_a_forgotten_password(world: World) -> None:
    email, user_id = await known(world)
    session = await world.session(email)
    assert (await world.post("/portals/customers/password-resets", {"email": email})).status_code == 202
    await world.wishes_done()
    assert (await world.happened(user_id))[-1] == "PasswordResetRequested"
    token, unused = await world.link("reset", user_id), await world.link("reset", user_id)
    assert (await world.ask("GET", f"/passwords/{token}")).json()["state"] == "open"
    body = {"token": token, "password": OTHER_PASSWORD}
    refused = await world.post("/passwords", {**body, "password": "123456789012345"})
    assert refusal(refused, 422) == "invalid_password_common", "and the link is still good"
    answers = await asyncio.gather(*(world.post("/passwords", body) for _ in range(5)))
    assert sorted(answered.status_code for answered in answers) == [204] + [409] * 4
    assert refusal(await world.token(session), 401) == "session_ended"
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused"
    assert (await world.sign_in(email, OTHER_PASSWORD)).json()["status"] == "ready"
    late = await world.post("/passwords", {"token": unused, "password": PASSWORD})
    assert refusal(late, 409) == "link_used", "one reset uses up all links"


async def test_a_sign_in_while_the_password_changes_begins_no_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, user_id = await known(world)
    body = {"token": await world.link("reset", user_id), "password": OTHER_PASSWORD}
    matches = Passwords.matches

    async def meanwhile(self: Passwords, phc: str | None, password: str) -> bool:
        right = await matches(self, phc, password)
        assert (await world.post("/passwords", body)).status_code == 204
        return right

    monkeypatch.setattr(Passwords, "matches", meanwhile)
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused"
    monkeypatch.undo()
    assert (await world.sign_in(email, OTHER_PASSWORD)).json()["status"] == "ready"


async def test_whoever_is_signed_in_changes_his_password(world: World) -> None:
    email, _ = await known(world)
    session = await world.session(email)
    body = {"session": session, "password": OTHER_PASSWORD}
    assert refusal(await world.post("/passwords", body), 422) == "invalid_password_change"
    wrong = await world.post("/passwords", {**body, "current_password": "something else"})
    assert refusal(wrong, 401) == "sign_in_refused"
    assert (await world.post("/passwords", {**body, "current_password": PASSWORD})).status_code == 204
    assert refusal(await world.token(session), 401) == "session_ended"
    assert (await world.sign_in(email, OTHER_PASSWORD)).status_code == 200


async def test_after_ten_failures_an_account_waits_longer_and_longer(world: World) -> None:
    email, _ = await known(world)
    for _ in range(FREE_FAILURES):
        assert refusal(await world.sign_in(email, "wrong"), 401) == "sign_in_refused"
    locked = await world.sign_in(email)
    assert refusal(locked, 401) == "sign_in_refused", "the right password does not help while it waits"
    world.clock.ahead += LOCK
    assert body_of(await world.sign_in(email, "wrong")) == body_of(locked)
    world.clock.ahead += LOCK
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused", "twice as long the second time"
    world.clock.ahead += LOCK
    assert (await world.sign_in(email)).status_code == 200
    assert refusal(await world.sign_in(email, "wrong"), 401) == "sign_in_refused"
    assert (await world.sign_in(email)).status_code == 200, "a success forgets the failures"


async def test_many_guesses_at_once_are_all_counted(world: World) -> None:
    email, _ = await known(world)
    await asyncio.gather(*(world.sign_in(email, f"guess {number}") for number in range(FREE_FAILURES + 5)))
    ((failures,),) = await world.rows(
        "SELECT failures FROM sign_in_attempts WHERE last_at > %s ORDER BY failures DESC LIMIT 1",
        world.clock() - timedelta(seconds=20),
    )
    assert failures == FREE_FAILURES
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused"


async def test_a_reset_ends_the_waiting(world: World) -> None:
    email, user_id = await known(world)
    for _ in range(FREE_FAILURES):
        await world.sign_in(email, "wrong")
    token = await world.link("reset", user_id)
    assert (await world.post("/passwords", {"token": token, "password": OTHER_PASSWORD})).status_code == 204
    assert (await world.sign_in(email, OTHER_PASSWORD)).status_code == 200


async def test_nobody_learns_from_an_answer_who_has_an_account(world: World) -> None:
    """The same status and body for every address, whatever is asked; and the same effort."""
    ready, _ = await known(world)
    blocked, blocked_id = await known(world)
    await world.post(f"/users/{blocked_id}/block", {"reason": "a test"}, "staff")
    unconfirmed = address()
    await world.register(unconfirmed)
    locked, _ = await known(world)
    for _ in range(FREE_FAILURES):
        await world.sign_in(locked, "wrong")
    people = [ready, blocked, unconfirmed, locked, address()]
    for path, more in (
        ("sessions", {"password": "a wrong long password"}),
        ("registrations", {"password": PASSWORD, "already_customer": True}),
        ("activation-mails", {}),
        ("password-resets", {}),
    ):
        answers = [await world.post(f"/portals/customers/{path}", {"email": email, **more}) for email in people]
        assert len({str(body_of(answered)) for answered in answers}) == 1, path
        assert len({tuple(sorted(set(answered.headers) - {"date"})) for answered in answers}) == 1, path
    await world.wishes_done()


@pytest.mark.slow
async def test_unknown_addresses_and_wrong_passwords_take_as_long(world: World) -> None:
    email, _ = await known(world)
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(20):
        for who, tried in (("known", email), ("unknown", address())):
            if who == "known" and number % (FREE_FAILURES - 1) == 0:
                await world.rows("DELETE FROM sign_in_attempts RETURNING 1")
            started = time.perf_counter()
            await world.sign_in(tried, "a wrong long password")
            times[who].append(time.perf_counter() - started)
    one, other = (statistics.median(taken) for taken in times.values())
    assert max(one, other) < 1.5 * min(one, other)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.emails(), st.text(max_size=40))
async def test_whatever_is_typed_is_refused_alike(world: World, email: str, password: str) -> None:
    answered = await world.sign_in(email, password)
    refused = (answered.status_code, answered.json()["code"])
    assert refused in {(401, "sign_in_refused"), (422, "invalid_request"), (400, "invalid_character")}


async def test_an_old_hash_is_renewed_when_its_owner_signs_in(world: World) -> None:
    email, user_id = await known(world)
    weak = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
    subject = user_subject(user_id)
    await world.rows("UPDATE passwords SET phc = %s WHERE subject = %s RETURNING 1", weak, subject)
    assert (await world.sign_in(email)).status_code == 200
    ((renewed,),) = await world.rows("SELECT phc FROM passwords WHERE subject = %s", subject)
    assert renewed != weak
    assert (await world.sign_in(email)).status_code == 200


async def test_links_are_for_those_who_need_them_and_only_our_services_get_them(world: World) -> None:
    _, user_id = await known(world)
    wanted = {"kind": "activation", "user_id": user_id, "portal_id": "customers"}
    assert refusal(await world.mail_link(wanted), 409) == "link_not_needed"
    assert refusal(await world.mail_link({**wanted, "kind": "reset"}, "billing"), 403) == "forbidden"
    assert refusal(await world.post("/links", wanted, "staff"), 401) == "token_invalid"
    assert refusal(await world.mail_link({**wanted, "user_id": "nobody"}), 404) == "user_not_found"
    assert refusal(await world.mail_link({**wanted, "portal_id": "nowhere"}), 404) == "portal_not_found"
    made = (await world.mail_link({**wanted, "kind": "reset"})).json()
    assert made["url"].startswith("https://portal.example.org/reset/")
    assert made["expires_at"] is not None
    deep = {"kind": "task", "portal_id": "customers", "target": {"instance_id": "i-1", "step_id": "proof"}}
    expected = {"url": "https://portal.example.org/tasks/i-1/proof", "expires_at": None}
    assert (await world.mail_link(deep)).json() == expected
    assert (await world.mail_link({**deep, "target": "i-1/proof"})).json() == expected
    assert refusal(await world.mail_link({**deep, "target": None}), 422) == "invalid_link_target"
    assert refusal(await world.mail_link({**deep, "target": "../admin"}), 422) == "invalid_request"


async def test_staff_act_as_a_user_for_five_minutes_and_for_a_reason(world: World) -> None:
    _, user_id = await known(world)
    begun = await world.post(f"/users/{user_id}/impersonations", {"reason": "a call about a bill"}, "staff")
    assert (begun.status_code, begun.json()["expires_in"]) == (201, 300)
    principal = await TokenVerifier(RemoteKeys("http://identity", world.client._transport)).verify(
        begun.json()["access_token"]
    )
    assert (principal.role, principal.subject, principal.actor) == ("customer", f"user/{user_id}", "staff/staff")
    end = f"/users/{user_id}/impersonations/{begun.json()['impersonation_id']}/end"
    assert (await world.post(end, {}, "staff")).status_code == 204
    assert (await world.happened(user_id))[-2:] == ["ImpersonationStarted", "ImpersonationEnded"]
    started = (await world.service.streams.history(f"users/{user_id}"))[-2]
    assert started.metadata.actor == "staff/staff"
    stranger = await world.register(address())
    early = await world.post(f"/users/{stranger}/impersonations", {"reason": "a test"}, "staff")
    assert refusal(early, 409) == "user_not_assigned"
    assert refusal(await world.post(f"/users/{user_id}/impersonations", {"reason": ""}, "staff"), 422)


async def test_a_user_sees_who_acted_as_him_and_acting_ends_with_its_own_token(world: World) -> None:
    _, user_id = await known(world)
    other_email, other_id = await known(world)
    begin = f"/users/{user_id}/impersonations"
    begun = (await world.post(begin, {"reason": "a call about a bill"}, "staff")).json()
    acting = {"Authorization": f"Bearer {begun['access_token']}"}
    end = f"{begin}/{begun['impersonation_id']}/end"
    own = {"Authorization": f"Bearer {(await world.token(await world.session(other_email))).json()['access_token']}"}
    assert refusal(await world.client.post(end, headers=own), 404) == "user_not_found"
    elsewhere = f"/users/{other_id}/impersonations/{begun['impersonation_id']}/end"
    assert refusal(await world.client.post(elsewhere, headers=acting), 404) == "user_not_found"
    assert refusal(await world.client.post(begin, json={"reason": "a try"}, headers=acting), 403) == "forbidden"
    ended = await world.client.post(end, headers=acting)
    assert ended.status_code == 204
    seen = {**acting, "Portico-Position": ended.headers["Portico-Position"]}
    (once,) = (await world.client.get("/users/me/impersonations", headers=seen)).json()["items"]
    assert (once["impersonation_id"], once["reason"]) == (begun["impersonation_id"], "a call about a bill")
    assert once["started_at"] < once["ended_at"]
    nothing = await world.client.get("/users/me/impersonations", headers=own)
    assert nothing.json() == {"items": []}
    assert refusal(await world.ask("GET", "/users/me/impersonations", role="staff"), 403) == "forbidden"


async def test_whoever_acts_as_a_user_cannot_change_his_password(world: World) -> None:
    _, user_id = await known(world)
    begun = (await world.post(f"/users/{user_id}/impersonations", {"reason": "a call"}, "staff")).json()
    acting = {"Authorization": f"Bearer {begun['access_token']}"}
    wanted = {"session": "none of his", "current_password": PASSWORD, "password": OTHER_PASSWORD}
    assert refusal(await world.client.post("/passwords", json=wanted, headers=acting), 403) == "forbidden"
    assert refusal(await world.post("/passwords", wanted), 401) == "session_ended"


async def test_an_erased_contact_takes_its_user_along(world: World) -> None:
    email = address()
    contact_id = await world.contact(email=email, last_name="Sommer")
    user_id = await world.activated(email, name="Anna Sommer")
    await world.assigned(user_id)
    session = await world.session(email)
    await world.follows(user_id)
    erased = await world.post(f"/persons/contact/{contact_id}/erase", {"reason": "she asked"}, "operator")
    assert erased.status_code == 200
    await world.until("SELECT FROM view_user_rows_v2 WHERE key = %s AND doc->'row' = 'null'", user_id)
    assert await world.rows("SELECT FROM users WHERE user_id = %s", user_id) == []
    for table in ("passwords", "sessions", "links", "chosen_passwords"):
        assert await world.rows(f"SELECT FROM {table} WHERE subject = %s", user_subject(user_id)) == []
    assert refusal(await world.token(session), 401) == "session_ended"
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused"
    blanked = "SELECT FROM view_known_records_v1 WHERE key = %s AND doc->'email' = 'null' AND doc->'personal' = '{}'"
    await world.until(blanked, f"contact/{contact_id}")
    assert email not in str(await world.rows("SELECT doc FROM view_user_rows_v2"))
    assert await world.service.keyring.find([user_subject(user_id)]) == {}
    again = await world.register(email)
    assert again != user_id, "the address is free again"


async def test_a_user_who_is_assigned_at_the_moment_of_an_erasure_goes_too(world: World) -> None:
    user_id, contact_id = await world.register(address()), await world.contact()
    await world.post(f"/persons/contact/{contact_id}/erase", {"reason": "he asked"}, "operator")
    await world.service.streams.execute(USERS, user_id, Assign(user_id, contact_id))
    await world.until("SELECT FROM view_user_rows_v2 WHERE key = %s AND doc->'row' = 'null'", user_id)
    await world.until(
        "SELECT FROM view_known_records_v1 WHERE key = %s AND doc->'erased' = 'true'", f"contact/{contact_id}"
    )
    late = await world.post(f"/users/{await world.register(address())}/assignment", {"contact_id": contact_id}, "staff")
    assert refusal(late, 404) == "contact_not_found"


async def test_a_deleted_user_leaves_his_contact(world: World) -> None:
    email, user_id = await known(world)
    deleted = await world.ask("DELETE", f"/users/{user_id}", role="staff")
    assert deleted.status_code == 204
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused"
    position = {"Portico-Position": deleted.headers["portico-position"]}
    gone = await world.ask("GET", f"/users/{user_id}", role="staff", headers=position)
    assert refusal(gone, 404) == "user_not_found"
    assert await world.rows("SELECT FROM view_known_records_v1 WHERE doc->>'email' = %s", normalised(email))

    async def destroyed() -> bool:
        rows = await world.rows("SELECT wrapped FROM keyring.keys WHERE person = %s", user_subject(user_id))
        return rows == [(None,)]

    assert await eventually(destroyed)
