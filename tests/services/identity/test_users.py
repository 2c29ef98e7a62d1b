"""The rules of portal users and staff, told as they are; and which contact somebody is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.common import Json
from contracts.identity import (
    AccessExpirySet,
    ActivationRequested,
    ContactNotMade,
    ContactWanted,
    IdentificationFailed,
    ImpersonationEnded,
    ImpersonationStarted,
    InvitationRequested,
    PasswordChanged,
    PasswordResetRequested,
    StaffBlocked,
    StaffChanged,
    StaffPasswordChanged,
    StaffRegistered,
    StaffUnblocked,
    UserActivated,
    UserAssigned,
    UserBlocked,
    UserDeleted,
    UserRegistered,
    UserSignedIn,
    UserUnassigned,
    UserUnblocked,
)
from contracts.portal import Registration
from services.identity.contacts.matching import fitting, is_same
from services.identity.contacts.views import KnownRecord
from services.identity.staff.decider import (
    STAFF,
    BlockStaff,
    ChangeStaff,
    ChangeStaffPassword,
    RegisterStaff,
    UnblockStaff,
)
from services.identity.users.decider import (
    MAILS_IN,
    MAXIMUM_MAILS,
    USERS,
    Activate,
    Assign,
    Block,
    ChangePassword,
    CreateContact,
    Delete,
    EndImpersonation,
    GiveUpContact,
    Identify,
    Impersonate,
    Invite,
    Match,
    Register,
    RequestActivation,
    RequestReset,
    SetExpiry,
    SignIn,
    TakeContact,
    Unassign,
    Unblock,
)
from services.identity.users.standing import IDENTIFICATION_TRIES, standing
from services.identity.users.state import User
from tests.support import given

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = {"user_id": "u", "portal_id": "customers"}
REGISTER = Register("u", "customers", "anna@example.org", "Anna", "de", True, NOW)
REGISTERED = UserRegistered(
    **IDS, person="user/u", email="anna@example.org", name="Anna", language="de", already_customer=True
)
MAILED = ActivationRequested(**IDS, requested_at=NOW)
ACTIVATED = UserActivated(**IDS)
ASSIGNED = UserAssigned(**IDS, contact_id="c", by="email")
UNASSIGNED = UserUnassigned(**IDS, contact_id="c", reason="")
BLOCKED = UserBlocked(**IDS, reason="a test")
new = given(USERS, REGISTERED)
active = given(USERS, REGISTERED, ACTIVATED)


def test_whoever_registers_gets_a_mail() -> None:
    given(USERS).when(REGISTER).then(REGISTERED, MAILED)


def test_whoever_registers_again_is_reminded_of_what_he_has() -> None:
    new.when(REGISTER).then(MAILED)
    active.when(REGISTER).then(PasswordResetRequested(**IDS, requested_at=NOW))
    given(USERS, REGISTERED, UserDeleted(**IDS)).when(REGISTER).rejects("user_not_found")


def test_registration_and_assignment_do_not_depend_on_each_other() -> None:
    new.when(Match("u", ("c",))).then(ASSIGNED)
    active.when(Match("u", ("c",))).then(ASSIGNED)
    given(USERS, REGISTERED, ASSIGNED).when(Activate("u")).then(ACTIVATED)


def test_an_address_assigns_only_when_it_is_clear() -> None:
    new.when(Match("u", ())).then()
    new.when(Match("u", ("c", "d"))).then()
    given(USERS, REGISTERED, ASSIGNED).when(Match("u", ("d",))).then()
    left = given(USERS, REGISTERED, ASSIGNED, UNASSIGNED)
    left.when(Match("u", ("c",))).then()
    left.when(Match("u", ("d",))).then(UserAssigned(**IDS, contact_id="d", by="email"))


def test_a_second_identification_has_five_tries() -> None:
    failures = [IdentificationFailed(**IDS, tries_left=left) for left in reversed(range(IDENTIFICATION_TRIES))]
    active.when(Identify("u", ("c",))).then(UserAssigned(**IDS, contact_id="c", by="identification"))
    active.when(Identify("u", ())).then(failures[0])
    active.when(Identify("u", ("c", "d"))).then(failures[0])
    given(USERS, REGISTERED, ACTIVATED, *failures[:4]).when(Identify("u", ())).then(failures[4])
    given(USERS, REGISTERED, ACTIVATED, *failures).when(Identify("u", ("c",))).rejects("no_tries_left")
    given(USERS, REGISTERED, ASSIGNED).when(Identify("u", ())).then()


def test_staff_assign_take_away_and_make_contacts() -> None:
    by_staff = UserAssigned(**IDS, contact_id="c", by="staff")
    assigned = given(USERS, REGISTERED, by_staff)
    new.when(Assign("u", "c")).then(by_staff)
    assigned.when(Assign("u", "c")).then()
    assigned.when(Assign("u", "d")).rejects("user_assigned_already", contact_id="c")
    assigned.when(Unassign("u", "")).then(UNASSIGNED)
    new.when(Unassign("u", "")).then()
    values: dict[str, Json] = {"last_name": "Neumann"}
    wanted = ContactWanted(**IDS, contact_id="c", customer_number="P-1", person="contact/c", values=values)
    new.when(CreateContact("u", "c", "P-1", values)).then(wanted)
    assigned.when(CreateContact("u", "c", "P-1", values)).rejects("user_assigned_already")
    waits = given(USERS, REGISTERED, wanted)
    waits.when(TakeContact("u", "c")).then(by_staff)
    waits.when(TakeContact("u", "d")).then()
    not_made = ContactNotMade(**IDS, contact_id="c", code="invalid_date", attribute="born_on")
    waits.when(GiveUpContact("u", "c", "invalid_date", "born_on")).then(not_made)
    waits.when(GiveUpContact("u", "d", "invalid_date", None)).then()
    given(USERS, REGISTERED, wanted, not_made).when(TakeContact("u", "c")).then()
    given(USERS, REGISTERED, wanted, by_staff).when(GiveUpContact("u", "c", "contact_exists", None)).then()


def test_an_address_is_confirmed_once() -> None:
    new.when(Activate("u")).then(ACTIVATED)
    active.when(Activate("u")).rejects("user_active_already")
    new.when(RequestActivation("u", NOW)).then(MAILED)
    active.when(RequestActivation("u", NOW)).rejects("user_active_already")


def test_a_reset_is_for_who_has_a_password_others_are_reminded() -> None:
    active.when(RequestReset("u", NOW)).then(PasswordResetRequested(**IDS, requested_at=NOW))
    new.when(RequestReset("u", NOW)).then(MAILED)
    active.when(ChangePassword("u")).then(PasswordChanged(**IDS))
    new.when(ChangePassword("u")).rejects("user_not_active")
    given(USERS, REGISTERED, ACTIVATED, BLOCKED).when(RequestReset("u", NOW)).rejects("user_blocked")


def test_nobodys_mailbox_is_flooded() -> None:
    sent = [MAILED] * MAXIMUM_MAILS
    full = given(USERS, REGISTERED, *sent)
    full.when(RequestActivation("u", NOW)).rejects("too_many_mails", limit=MAXIMUM_MAILS)
    full.when(RequestActivation("u", NOW + MAILS_IN)).then(ActivationRequested(**IDS, requested_at=NOW + MAILS_IN))


def test_signing_in_needs_a_confirmed_address_and_access() -> None:
    active.when(SignIn("u", NOW)).then(UserSignedIn(**IDS))
    new.when(SignIn("u", NOW)).rejects("user_not_active")
    given(USERS, REGISTERED, ACTIVATED, BLOCKED).when(SignIn("u", NOW)).rejects("user_blocked")
    until = given(USERS, REGISTERED, ACTIVATED, AccessExpirySet(**IDS, expires_at=NOW))
    until.when(SignIn("u", NOW - timedelta(seconds=1))).then(UserSignedIn(**IDS))
    until.when(SignIn("u", NOW)).rejects("access_expired", expires_at=NOW)


def test_blocking_twice_is_blocking_once() -> None:
    new.when(Block("u", "a test")).then(BLOCKED)
    blocked = given(USERS, REGISTERED, BLOCKED)
    blocked.when(Block("u", "again")).then()
    blocked.when(Unblock("u")).then(UserUnblocked(**IDS))
    new.when(Unblock("u")).then()
    new.when(SetExpiry("u", NOW)).then(AccessExpirySet(**IDS, expires_at=NOW))
    new.when(SetExpiry("u", None)).then()


@pytest.mark.parametrize("ending", [BLOCKED, UNASSIGNED, PasswordChanged(**IDS)])
def test_what_ends_sessions_begins_another_epoch(ending: Any) -> None:
    assert given(USERS, REGISTERED, ASSIGNED, ending).state.epoch == 1


def test_staff_act_as_users_who_belong_to_somebody() -> None:
    started = ImpersonationStarted(**IDS, impersonation_id="i", contact_id="c", reason="a call")
    ended = ImpersonationEnded(**IDS, impersonation_id="i")
    assigned = given(USERS, REGISTERED, ASSIGNED)
    assigned.when(Impersonate("u", "i", "a call")).then(started)
    new.when(Impersonate("u", "i", "a call")).rejects("user_not_assigned")
    given(USERS, REGISTERED, ASSIGNED, started).when(EndImpersonation("u", "i")).then(ended)
    given(USERS, REGISTERED, ASSIGNED, started, ended).when(EndImpersonation("u", "i")).then()
    assigned.when(EndImpersonation("u", "x")).then()


def test_an_invited_contact_is_assigned_from_the_beginning() -> None:
    invite = Invite("u", "customers", "anna@example.org", "Anna", "de", "c", NOW)
    registered = REGISTERED.model_copy(update={"invited": True})
    by_staff, mailed = UserAssigned(**IDS, contact_id="c", by="staff"), InvitationRequested(**IDS, requested_at=NOW)
    given(USERS).when(invite).then(registered, by_staff, mailed)
    given(USERS, registered, by_staff, mailed).when(invite).then(mailed)
    new.when(invite).then(by_staff, mailed)
    active.when(invite).rejects("user_exists")
    given(USERS, REGISTERED, UserAssigned(**IDS, contact_id="d", by="staff")).when(invite).rejects(
        "user_assigned_already"
    )


def test_nothing_happens_to_who_is_gone() -> None:
    new.when(Delete("u")).then(UserDeleted(**IDS))
    gone = given(USERS, REGISTERED, UserDeleted(**IDS))
    for command in (Delete("u"), Activate("u"), Block("u", "x"), Match("u", ("c",)), SignIn("u", NOW)):
        gone.when(command).rejects("user_not_found")
        given(USERS).when(command).rejects("user_not_found")


@pytest.mark.parametrize(
    ("change", "matches", "registration", "expected"),
    [
        ({"contact_id": "c"}, 0, {}, "ready"),
        ({"contact_id": "c", "blocked": True}, 0, {}, "blocked"),
        ({"contact_id": "c", "expires_at": NOW}, 0, {}, "expired"),
        ({}, 0, {}, "waiting"),
        ({}, 0, {"unknown": "refuse"}, "unknown"),
        ({}, 1, {"unknown": "refuse"}, "waiting"),
        ({}, 2, {}, "identify"),
        ({}, 2, {"second_identification": ()}, "waiting"),
        ({}, 2, {"assign_by": "none"}, "waiting"),
        ({"failed_identifications": IDENTIFICATION_TRIES}, 2, {}, "waiting"),
    ],
)
def test_how_far_somebody_has_come(
    change: dict[str, Any], matches: int, registration: dict[str, Any], expected: str
) -> None:
    user = User(**{"portal_id": "p", "email": "a", "name": None, "language": "de", "already_customer": True, **change})
    assert standing(user, matches, Registration(**registration), NOW) == expected


MEMBER = StaffRegistered(
    staff_id="s",
    person="staff/s",
    email="sam@example.org",
    name="Sam",
    groups=("billing", "service"),
    roles=("staff",),
    language="de",
)


def test_staff_are_registered_once_with_groups_and_roles() -> None:
    register = RegisterStaff("s", "sam@example.org", "Sam", ("service", "billing", "service"), ("staff",), "de")
    given(STAFF).when(register).then(MEMBER)
    given(STAFF, MEMBER).when(register).rejects("staff_exists")
    given(STAFF).when(RegisterStaff("s", "x", "x", ("No",), ("staff",), "de")).rejects("invalid_group", group="No")
    given(STAFF).when(RegisterStaff("s", "x", "x", (), ("god",), "de")).rejects("invalid_roles")
    many = tuple(f"g{number}" for number in range(51))
    given(STAFF).when(RegisterStaff("s", "x", "x", many, ("staff",), "de")).rejects("invalid_groups", limit=50)


def test_staff_change_and_are_blocked() -> None:
    member = given(STAFF, MEMBER)
    changed = StaffChanged(staff_id="s", groups=("service",), roles=("staff", "operator"))
    member.when(ChangeStaff("s", ("service",), ("operator", "staff"))).then(changed)
    member.when(ChangeStaff("s", ("billing", "service"), ("staff",))).then()
    member.when(ChangeStaffPassword("s")).then(StaffPasswordChanged(staff_id="s"))
    member.when(BlockStaff("s")).then(StaffBlocked(staff_id="s"))
    blocked = given(STAFF, MEMBER, StaffBlocked(staff_id="s"))
    blocked.when(BlockStaff("s")).then()
    blocked.when(UnblockStaff("s")).then(StaffUnblocked(staff_id="s"))
    assert (member.state.epoch, blocked.state.epoch) == (0, 1)
    given(STAFF).when(BlockStaff("s")).rejects("staff_not_found")


@pytest.mark.parametrize(
    ("stored", "told", "same"),
    [
        ("K-1002", "k 1002", True),
        ("K-1002", "K-1003", False),
        ("K-1002", "", False),
        ("---", "-", False),
        (None, "None", False),
        (True, "True", False),
        (1002, "1002", True),
        (["electricity", "gas"], "Gas", True),
        ("1985-04-03", "3.4.1985", True),
        ("1985-04-03", "03.04.1985", True),
        ("1985-04-03", "1985-04-03", True),
        ("1985-04-03", "4.3.1985", False),
        ("1985-04-03", "31.2.1985", False),
        ("+49 30 23125 002", "030 23125-002", True),
        ("+49 30 23125 002", "0049 30 23125002", True),
        ("+49 30 23125 002", "+49 (0)30 23125002", True),
        ("+49 30 23125 002", "23125002", False),
        ("+49 30 23125 002", "02", False),
        ("+49 30 23125 002", "030 23125003", False),
        ("Lindenstraße 12", "lindenstrasse 12", True),
    ],
)
def test_what_people_would_call_the_same(stored: Json, told: str, same: bool) -> None:
    assert is_same(stored, told) is same


def record(entity: str, id_: str, holder: str | None = None, **values: Json) -> KnownRecord:
    return KnownRecord(
        entity=entity, id=id_, person=None, erased=False, external_id=id_, holder=holder, attributes=values, personal={}
    )


def test_all_answers_must_be_right_and_those_of_a_contract_for_the_same_one() -> None:
    contacts = [record("contact", "a", city="Lindenau"), record("contact", "b", city="Lindenau")]
    contracts = [
        record("contract", "1", "a", number="V-1", meter="M-1"),
        record("contract", "2", "a", number="V-2", meter="M-2"),
        record("contract", "3", "b", number="V-3", meter="M-3"),
    ]

    def found(**answers: str) -> tuple[str, ...]:
        return fitting({path.replace("__", "."): answer for path, answer in answers.items()}, contacts, contracts)

    assert found(contact__city="lindenau") == ("a", "b")
    assert found(contract__number="V-3") == ("b",)
    assert found(contact__city="Lindenau", contract__number="V-1", contract__meter="M-1") == ("a",)
    assert found(contract__number="V-1", contract__meter="M-2") == ()
    assert found(contact__city="Berlin", contract__number="V-1") == ()
    assert found(contact__shoe_size="43") == ()
    assert found(meter__number="1") == ()
    assert found() == ()
