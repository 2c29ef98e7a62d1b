"""From a registration to a portal user who belongs to a contact: by address, by a second identification, by staff."""

import asyncio
from datetime import timedelta

import pytest

from chassis.testing import eventually
from contracts.identity import ContactNotMade, UserAssigned
from contracts.ids import record_id, stream
from services.identity.access import contact_of_user
from services.identity.users.decider import MAXIMUM_MAILS
from tests.services.identity.world import OTHER_PASSWORD, PASSWORD, World, address, made, refusal, refused


async def test_a_known_customer_is_assigned_confirms_and_signs_in(world: World) -> None:
    email = address()
    contact_id = await world.contact("K-1001", email=email.upper(), last_name="Sommer")
    user_id = await world.register(f" {email} ", name="Anna Sommer")
    assert await world.assigned(user_id) == contact_id
    assert (await world.happened(user_id))[:2] == ["UserRegistered", "ActivationRequested"]
    assert refusal(await world.sign_in(email), 401) == "sign_in_refused", "not before the address is confirmed"

    token = await world.link("activation", user_id)
    for _ in range(2):
        shown = await world.ask("GET", f"/activations/{token}")
        assert (shown.json()["state"], shown.json()["kind"]) == ("open", "activation"), "looking uses nothing up"
        assert shown.headers["cache-control"] == "no-store"
    activated = await world.post("/activations", {"token": token})
    assert (activated.status_code, activated.json()["status"]) == (200, "ready")
    assert activated.headers["portico-position"].startswith("identity/")
    assert (await world.ask("GET", f"/activations/{token}")).json()["state"] == "used"

    answered = await world.sign_in(email)
    assert (answered.status_code, answered.json()["status"], answered.json()["ask"]) == (200, "ready", [])
    token = (await world.token(answered.json()["session"])).json()
    assert (token["role"], token["subject"], token["contact_id"]) == ("customer", f"user/{user_id}", contact_id)
    assert (token["portal_id"], token["expires_in"]) == ("customers", 300)
    assert (await world.happened(user_id))[-1] == "UserSignedIn"


async def test_an_activation_is_used_once_however_many_press_the_button(world: World) -> None:
    user_id = await world.register(address())
    token = await world.link("activation", user_id)
    answers = await asyncio.gather(*(world.post("/activations", {"token": token}) for _ in range(20)))
    assert sorted(answered.status_code for answered in answers) == [200] + [409] * 19
    assert {refusal(answered, 409) for answered in answers if answered.status_code != 200} == {"link_used"}
    assert (await world.happened(user_id)).count("UserActivated") == 1


async def test_an_activation_is_good_for_an_hour(world: World) -> None:
    user_id = await world.register(address())
    token = await world.link("activation", user_id)
    world.clock.ahead += timedelta(hours=1)
    assert (await world.ask("GET", f"/activations/{token}")).json()["state"] == "expired"
    assert refusal(await world.post("/activations", {"token": token}), 409) == "link_expired"
    assert refusal(await world.post("/activations", {"token": "x" * 32}), 404) == "link_not_found"
    assert refusal(await world.post("/passwords", {"token": token, "password": PASSWORD}), 404) == "link_not_found"


async def test_who_has_the_address_of_several_contacts_says_which_he_is(world: World) -> None:
    email = address()
    first = await world.contact("K-1002", email=email, last_name="Krüger", phone="+49 30 23125 002")
    await world.contact("K-1003", email=email, last_name="Krüger")
    user_id = await world.activated(email)
    answered = await world.sign_in(email)
    body = answered.json()
    assert (body["status"], body["tries_left"]) == ("identify", 5)
    assert body["ask"] == [{"path": "contact.customer_number", "label": "Kundennummer"}]
    assert (await world.token(body["session"])).json()["access_token"] is None

    async def answer(number: str) -> dict[str, object]:
        given = {"session": body["session"], "answers": {"contact.customer_number": number}}
        return dict((await world.post("/identifications", given)).json())

    assert (await answer("K-1001"))["tries_left"] == 4
    assert (await answer("k 1002"))["status"] == "ready"
    assert await world.assigned(user_id) == first
    assert (await world.token(body["session"])).json()["contact_id"] == first
    assert UserAssigned(user_id=user_id, portal_id="customers", contact_id=first, by="identification") in (
        await world.history(user_id)
    )


async def test_tries_are_counted_also_when_they_come_at_once(world: World) -> None:
    email = address()
    right = await world.contact(email=email)
    await world.contact(email=email)
    user_id = await world.activated(email)
    session = await world.session(email)
    path = "contact.customer_number"
    wrong = [{"session": session, "answers": {path: f"K-{number}"}} for number in range(12)]
    await asyncio.gather(*(world.post("/identifications", body) for body in wrong))
    assert (await world.happened(user_id)).count("IdentificationFailed") == 5
    assert (await world.sign_in(email)).json()["status"] == "waiting"
    answers = {path: await world.number_of(right)}
    late = await world.post("/identifications", {"session": session, "answers": answers})
    assert refusal(late, 409) == "identification_not_asked"


async def test_contracts_and_several_attributes_can_be_asked_for(world: World) -> None:
    portal = await world.portal("strict", second_identification=("contact.phone", "contract.number"))
    email = address()
    mine = await world.contact(email=email, phone="+49 30 23125 007")
    other = await world.contact(email=email, phone="+49 30 23125 007")
    await world.contract("V-7", mine)
    await world.contract("V-8", other)
    user_id = await world.activated(email, portal)
    session = (await world.sign_in(email, portal_id=portal)).json()["session"]
    partly = {"session": session, "answers": {"contact.phone": "030 23125007"}}
    assert refusal(await world.post("/identifications", partly), 422) == "invalid_identification"
    given = {"session": session, "answers": {"contact.phone": "030 23125007", "contract.number": "v7"}}
    assert (await world.post("/identifications", given)).json()["status"] == "ready"
    assert await world.assigned(user_id) == mine


async def test_who_is_unknown_waits_and_staff_make_a_contact_of_him(world: World) -> None:
    email = address()
    user_id = await world.activated(email, name="Cleo Maria Neumann", already_customer=False)
    session = (await world.sign_in(email)).json()
    assert session["status"] == "waiting"
    answered, wanted = await world.make_contact(user_id, {"values": {"phone": "+49 30 1234567"}}, made)
    assert (answered.status_code, answered.json()["status"]) == (201, "assigned"), answered.text
    number, contact_id = answered.json()["customer_number"], answered.json()["contact_id"]
    assert contact_id == record_id("contact", number)
    *_, assignment = await world.service.streams.history(stream("users", user_id))
    assert assignment.event == UserAssigned(user_id=user_id, portal_id="customers", contact_id=contact_id, by="staff")
    assert answered.headers["portico-position"] == str(assignment.position)
    assert await world.assigned(user_id) == contact_id
    assert wanted.values == {
        "first_name": "Cleo Maria",
        "last_name": "Neumann",
        "email": email,
        "language": "de",
        "phone": "+49 30 1234567",
    }
    token = (await world.token(session["session"])).json()
    assert (token["status"], token["contact_id"]) == ("ready", contact_id), "the session that waited is good now"
    again = await world.post(f"/users/{user_id}/contact", {}, "staff")
    assert refusal(again, 409) == "user_assigned_already"
    stranger = await world.register(address())
    wrong = await world.post(f"/users/{stranger}/contact", {"values": {"shoe_size": 43}}, "staff")
    assert refusal(wrong, 422) == "invalid_attribute"
    number = await world.number_of(await world.contact())
    taken = await world.post(f"/users/{stranger}/contact", {"customer_number": number}, "staff")
    assert refusal(taken, 409) == "contact_exists"


@pytest.mark.parametrize(
    ("code", "attribute", "status", "told"),
    [
        ("invalid_date", "born_on", 422, "invalid_contact_value"),
        ("person_erased", None, 422, "invalid_contact"),
        ("contact_exists", None, 409, "contact_exists"),
    ],
)
async def test_staff_are_told_why_a_contact_cannot_be_made(
    world: World, code: str, attribute: str | None, status: int, told: str
) -> None:
    email = address()
    user_id = await world.activated(email)
    answered, wanted = await world.make_contact(user_id, {}, lambda wanted: refused(wanted, code, attribute))
    assert refusal(answered, status) == told
    assert (attribute or wanted.customer_number) in answered.json()["detail"] or told == "invalid_contact"
    assert (await world.history(user_id))[-1] == ContactNotMade(
        user_id=user_id, portal_id="customers", contact_id=wanted.contact_id, code=code, attribute=attribute
    )
    assert (await world.sign_in(email)).json()["status"] == "waiting"
    assert await world.refusal_of(user_id) == (f"{code}: {attribute}" if attribute else code)
    better, _ = await world.make_contact(user_id, {}, made)
    assert (better.status_code, better.json()["status"]) == (201, "assigned"), better.text
    assert (await world.sign_in(email)).json()["status"] == "ready"


async def test_who_waits_too_long_for_a_contact_is_assigned_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_of_user, "ANSWER_SECONDS", 0.2)
    email = address()
    user_id = await world.activated(email)
    answered = await world.post(f"/users/{user_id}/contact", {}, "staff")
    assert (answered.status_code, answered.json()["status"]) == (202, "requested"), answered.text
    assert (await world.sign_in(email)).json()["status"] == "waiting", "nobody belongs to a contact that is not there"
    wanted = await world.wanted(user_id)
    await world.say(stream("contact", wanted.contact_id), made(wanted), made(wanted))
    assert await world.assigned(user_id) == answered.json()["contact_id"]


async def test_a_contact_that_appears_or_changes_later_is_found(world: World) -> None:
    early, other = address(), address()
    waiting = await world.register(early)
    contact_id = await world.contact(email=early)
    assert await world.assigned(waiting) == contact_id

    changed = await world.contact(email=address())
    second = await world.register(other)
    await world.change_contact(changed, email=other)
    assert await world.assigned(second) == changed


async def test_when_only_one_of_several_keeps_the_address_it_is_clear_who_he_is(world: World) -> None:
    email = address()
    kept, corrected = await world.contact(email=email), await world.contact(email=email)
    user_id = await world.register(email)
    await world.matched()
    await world.change_contact(corrected, email=address())
    assert await world.assigned(user_id) == kept


async def test_staff_assign_and_take_away_and_the_address_does_not_bring_it_back(world: World) -> None:
    email = address()
    contact_id = await world.contact(email=email)
    user_id = await world.activated(email)
    await world.assigned(user_id)
    session = await world.session(email)
    gone = await world.ask("DELETE", f"/users/{user_id}/assignment", role="staff", params={"reason": "a mistake"})
    assert (gone.status_code, gone.headers["portico-position"][:9]) == (204, "identity/")
    assert refusal(await world.token(session), 401) == "session_ended"
    await world.change_contact(contact_id, phone="+49 30 99999")
    await world.matched()
    assert (await world.sign_in(email)).json()["status"] == "waiting"
    body = {"contact_id": contact_id}
    for _ in range(2):
        assert (await world.post(f"/users/{user_id}/assignment", body, "staff")).status_code == 204
    assert (await world.sign_in(email)).json()["status"] == "ready"
    unknown = await world.post(f"/users/{user_id}/assignment", {"contact_id": "nobody"}, "staff")
    assert refusal(unknown, 404) == "contact_not_found"
    other = await world.contact()
    taken = await world.post(f"/users/{user_id}/assignment", {"contact_id": other}, "staff")
    assert refusal(taken, 409) == "user_assigned_already"


async def test_a_portal_may_not_assign_by_address_or_not_be_open(world: World) -> None:
    by_hand = await world.portal("by-hand", assign_by="none")
    email = address()
    await world.contact(email=email)
    user_id = await world.activated(email, by_hand)
    await world.matched()
    assert "UserAssigned" not in await world.happened(user_id)
    closed = await world.portal("closed", open=False)
    body = {"email": email, "password": PASSWORD, "already_customer": True}
    assert refusal(await world.post(f"/portals/{closed}/registrations", body), 409) == "registration_closed"
    assert refusal(await world.post("/portals/nowhere/registrations", body), 404) == "portal_not_found"
    strict = await world.portal("members", unknown="refuse")
    await world.activated(stranger := address(), strict)
    assert (await world.sign_in(stranger, portal_id=strict)).json()["status"] == "unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"email": "anna"}, "invalid_email"),
        ({"email": "a b@example.org"}, "invalid_email"),
        ({"password": "short"}, "invalid_password_short"),
        ({"password": "x" * 201}, "invalid_password_long"),
        ({"password": "passwordpassword"}, "invalid_password_common"),
        ({"email": "anna.sommer@example.org", "password": "Anna.Sommer-1985"}, "invalid_password_personal"),
        ({"password": None}, "invalid_request"),
        ({"language": "fr"}, "invalid_request"),
    ],
)
async def test_a_registration_that_cannot_be_taken_says_why(world: World, change: dict[str, object], code: str) -> None:
    body = {"email": address(), "password": PASSWORD, "already_customer": True, **change}
    for language in ("de", "en"):
        headers = {"Accept-Language": language}
        refused = await world.post("/portals/customers/registrations", body, headers=headers)
        assert refusal(refused, 422) == code
        assert refused.json()["detail"] != refused.json()["title"]


async def test_the_password_of_the_only_registration_counts(world: World) -> None:
    email = address()
    user_id = await world.register(email, password=PASSWORD)
    token = await world.link("activation", user_id)
    assert (await world.post("/activations", {"token": token})).status_code == 200
    assert (await world.sign_in(email, PASSWORD)).status_code == 200


async def test_nobody_chooses_the_password_of_somebody_who_was_invited(world: World) -> None:
    """Whether he registers the address before the invitation or after it."""
    for before in (True, False):
        email = address()
        contact_id = await world.contact(email=email)
        if before:
            await world.register(email, password=PASSWORD)
        invited = await world.post("/portals/customers/invitations", {"contact_id": contact_id}, "staff")
        user_id = invited.json()["user_id"]
        first = await world.link("invitation", user_id)
        if not before:
            await world.register(email, password=PASSWORD)
        for token in (first, await world.link("invitation", user_id)):
            assert (await world.ask("GET", f"/activations/{token}")).json()["needs_password"] is True
            assert refusal(await world.post("/activations", {"token": token}), 422) == "invalid_password_missing"
        if not before:
            activation = await world.link("activation", user_id)
            assert refusal(await world.post("/activations", {"token": activation}), 422) == "invalid_password_missing"


@pytest.mark.parametrize("sent", ["before the second", "after the second", "before too many"])
async def test_after_two_registrations_the_owner_of_the_mailbox_chooses(world: World, sent: str) -> None:
    """Whoever registers an address first, or last, must not choose the password of its owner."""
    email = address()
    user_id = await world.register(email, password=PASSWORD)
    token = await world.link("activation", user_id)
    if sent == "before too many":
        for _ in range(MAXIMUM_MAILS):
            await world.post("/portals/customers/activation-mails", {"email": email})
        await world.wishes_done()
    await world.register(email, password=OTHER_PASSWORD)
    if sent == "after the second":
        token = await world.link("activation", user_id)
    assert (await world.ask("GET", f"/activations/{token}")).json()["needs_password"] is True
    assert refusal(await world.post("/activations", {"token": token}), 422) == "invalid_password_missing"
    mine = "mein eigener langer Satz hier"
    assert (await world.post("/activations", {"token": token, "password": mine})).status_code == 200
    for foreign in (PASSWORD, OTHER_PASSWORD):
        assert refusal(await world.sign_in(email, foreign), 401) == "sign_in_refused"
    assert (await world.sign_in(email, mine)).status_code == 200


async def test_mails_are_limited(world: World) -> None:
    email = address()
    user_id = await world.register(email)
    for _ in range(MAXIMUM_MAILS + 3):
        answered = await world.post("/portals/customers/activation-mails", {"email": email})
        assert (answered.status_code, answered.json()) == (202, {"status": "check_mailbox"})
    await world.wishes_done()
    assert (await world.happened(user_id)).count("ActivationRequested") == MAXIMUM_MAILS
    assert refusal(await world.post(f"/users/{user_id}/activation-mail", {}, "staff"), 409) == "too_many_mails"


async def test_staff_invite_a_contact_who_chooses_a_password(world: World) -> None:
    email = address()
    contact_id = await world.contact(email=email, first_name="Emily", last_name="Harper")
    invited = await world.post("/portals/customers/invitations", {"contact_id": contact_id}, "staff")
    user_id = invited.json()["user_id"]
    token = await world.link("invitation", user_id)
    assert (await world.ask("GET", f"/activations/{token}")).json()["needs_password"] is True
    assert refusal(await world.post("/activations", {"token": token}), 422) == "invalid_password_missing"
    weak = await world.post("/activations", {"token": token, "password": "harperharperharper"})
    assert refusal(weak, 422) == "invalid_password_common"
    accepted = await world.post("/activations", {"token": token, "password": PASSWORD})
    assert accepted.json()["status"] == "ready"
    assert (await world.sign_in(email)).json()["status"] == "ready"
    again = await world.post("/portals/customers/invitations", {"contact_id": contact_id}, "staff")
    assert refusal(again, 409) == "user_exists"


async def test_two_who_register_one_address_at_once_become_one_user(world: World) -> None:
    email = address()
    body = {"email": email, "password": PASSWORD, "already_customer": True}
    await asyncio.gather(*(world.post("/portals/customers/registrations", body) for _ in range(4)))
    await world.wishes_done()
    assert len(await world.rows("SELECT FROM users WHERE email = %s", email)) == 1


async def test_secrets_and_personal_data_are_in_no_event(world: World) -> None:
    email = address()
    user_id = await world.activated(email, name="Clara Klartext")

    async def published() -> list[bytes]:
        return [row[0] for row in await world.rows("SELECT data FROM events WHERE stream = %s", f"users/{user_id}")]

    data = b"".join(await eventually(published))
    for secret in (email, "Klartext", PASSWORD, "argon2"):
        assert secret.encode() not in data
    assert b'"sealed":"user/' in data
