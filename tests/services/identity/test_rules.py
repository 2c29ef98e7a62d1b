"""The rules of identity, told as they are."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.base import Event
from contracts.identity import (
    MachineRegistered,
    MachineRevoked,
    MachineSecretChanged,
    PersonalDataRevealed,
    PersonErased,
    SigningKeyAdded,
    SigningKeyRetired,
)
from services.identity.machines.decider import MACHINES, ChangeSecret, RegisterMachine, RevokeMachine
from services.identity.persons.decider import PERSONS, ErasePerson
from services.identity.reveals.decider import REVEALS, RecordReveal
from services.identity.signing_keys.decider import (
    KEPT,
    LEAD,
    MAXIMUM_AGE,
    MAXIMUM_KEYS,
    SIGNING_KEYS,
    RotateKeys,
    TendKeys,
)
from tests.support import given

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def added(key_id: str, signs_from: datetime = NOW) -> SigningKeyAdded:
    return SigningKeyAdded(key_id=key_id, signs_from=signs_from)


def retired(key_id: str) -> SigningKeyRetired:
    return SigningKeyRetired(key_id=key_id)


def test_the_first_key_signs_at_once_and_only_one_becomes_the_first() -> None:
    given(SIGNING_KEYS).when(TendKeys("a", NOW)).then(added("a"))
    given(SIGNING_KEYS, added("a")).when(TendKeys("b", NOW)).then()


def test_a_new_key_is_known_before_it_signs() -> None:
    given(SIGNING_KEYS, added("a")).when(RotateKeys("b", NOW + SECOND)).then(added("b", NOW + SECOND + LEAD))
    waiting = given(SIGNING_KEYS, added("a"), added("b", NOW + LEAD))
    waiting.when(RotateKeys("c", NOW + SECOND)).rejects("signing_key_waits_already", signs_from=NOW + LEAD)
    waiting.when(RotateKeys("c", NOW + LEAD)).then(added("c", NOW + LEAD + LEAD))


def test_keys_are_renewed_by_age() -> None:
    old = given(SIGNING_KEYS, added("a"))
    old.when(TendKeys("b", NOW + MAXIMUM_AGE - SECOND)).then()
    due = NOW + MAXIMUM_AGE
    old.when(TendKeys("b", due)).then(added("b", due + LEAD))
    given(SIGNING_KEYS, added("a"), added("b", due + LEAD)).when(TendKeys("c", due + SECOND)).then()


def test_an_old_key_stays_as_long_as_tokens_of_it_can_live() -> None:
    both = given(SIGNING_KEYS, added("a"), added("b", NOW + LEAD))
    both.when(TendKeys("c", NOW + LEAD + KEPT - SECOND)).then()
    both.when(TendKeys("c", NOW + LEAD + KEPT)).then(retired("a"))
    given(SIGNING_KEYS, added("a"), added("b", NOW + LEAD), retired("a")).when(TendKeys("c", NOW + 2 * KEPT)).then()


def test_a_leaked_key_goes_at_once() -> None:
    both = given(SIGNING_KEYS, added("a"), added("b", NOW + LEAD))
    both.when(RotateKeys("c", NOW, urgent=True)).then(added("c"), retired("a"), retired("b"))


def test_there_are_never_more_keys_than_a_jwks_should_have() -> None:
    keys = [added(str(number), NOW - timedelta(hours=1)) for number in range(MAXIMUM_KEYS)]
    given(SIGNING_KEYS, *keys).when(RotateKeys("x", NOW)).rejects("too_many_signing_keys", limit=MAXIMUM_KEYS)


REGISTERED = MachineRegistered(machine_id="m", name="erp", role="erp")
REVOKED = MachineRevoked(machine_id="m")


def test_a_machine_is_registered_once() -> None:
    given(MACHINES).when(RegisterMachine("m", "erp", "erp")).then(REGISTERED)
    given(MACHINES, REGISTERED).when(RegisterMachine("m", "erp", "operator")).rejects("machine_exists", name="erp")
    given(MACHINES, REGISTERED, REVOKED).when(RegisterMachine("m", "erp", "erp")).rejects("machine_exists")


@pytest.mark.parametrize("name", ["", "Erp", "-erp", "e rp", "e" * 64, "é", "a\n"])
def test_a_machine_has_a_name_that_fits_anywhere(name: str) -> None:
    given(MACHINES).when(RegisterMachine("m", name, "erp")).rejects("invalid_machine_name")


def test_secrets_change_while_a_machine_is_not_revoked() -> None:
    given(MACHINES, REGISTERED).when(ChangeSecret("m")).then(MachineSecretChanged(machine_id="m"))
    given(MACHINES).when(ChangeSecret("m")).rejects("machine_not_found")
    given(MACHINES, REGISTERED, REVOKED).when(ChangeSecret("m")).rejects("machine_revoked")


def test_revoking_twice_is_revoking_once() -> None:
    given(MACHINES, REGISTERED).when(RevokeMachine("m")).then(REVOKED)
    given(MACHINES, REGISTERED, REVOKED).when(RevokeMachine("m")).then()
    given(MACHINES).when(RevokeMachine("m")).rejects("machine_not_found")


def test_a_person_is_erased_once() -> None:
    erased = PersonErased(person="contact/1", reason="asked for it")
    given(PERSONS).when(ErasePerson("contact/1", "asked for it")).then(erased)
    given(PERSONS, erased).when(ErasePerson("contact/1", "again")).then()


@pytest.mark.parametrize(
    "person", ["contact", "contact/", "/1", "contact/1/2", "Contact/1", "contact/ä", "contact/1\n"]
)
def test_what_names_no_person_is_refused(person: str) -> None:
    given(PERSONS).when(ErasePerson(person, "x")).rejects("invalid_person", person=person)


def test_a_reveal_is_recorded_once() -> None:
    command = RecordReveal("r", "staff-1", "a call", ("contact/1",), 2)
    event: Event = PersonalDataRevealed(
        reveal_id="r", revealed_to="staff-1", reason="a call", persons=("contact/1",), values=2
    )
    given(REVEALS).when(command).then(event)
    given(REVEALS, event).when(command).rejects("reveal_recorded_already")
