"""Which passwords are refused, how the others are kept, and how long whoever guesses them waits."""

import asyncio
import contextlib
import statistics
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

from chassis.errors import Rejected, Unavailable
from services.identity.access import passwords as module
from services.identity.access.attempts import (
    FORGOTTEN_AFTER,
    FREE_FAILURES,
    LONGEST_LOCK,
    Attempts,
    account,
    attempted,
)
from services.identity.access.passwords import Passwords
from services.identity.access.rules import check
from services.identity.addresses import checked, normalised

ANNA = "anna.sommer@example.org"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG = "ein ganz langer Satz als Passwort"


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "mein hund heißt bello",
        "eisenbahn fenster apfel",
        "kfj3 9sdf Lmq2 xx8",
        "日本語のとても長いパスワードです",
        "x7#" + "Donaudampfschifffahrt" * 3,
    ],
)
def test_long_passwords_are_taken_whatever_they_are_made_of(password: str) -> None:
    check(password, [ANNA, "Mein Lindenau"])


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "invalid_password_short"),
        ("Kx9#mQ2$vL7!pZ", "invalid_password_short"),
        ("x" * 201, "invalid_password_long"),
        ("passwordpassword", "invalid_password_common"),
        ("passwortpasswort", "invalid_password_common"),
        ("123456789012345", "invalid_password_common"),
        ("qwertzuiopasdfgh", "invalid_password_common"),
        ("iloveyouforever", "invalid_password_common"),
        ("hallohallohallo1", "invalid_password_common"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "invalid_password_common"),
        ("Anna.Sommer.1985", "invalid_password_personal"),
        ("anna.sommer@example.org", "invalid_password_personal"),
        ("MeinLindenau-2026", "invalid_password_personal"),
    ],
)
def test_what_is_guessed_at_once_is_refused(password: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        check(password, [ANNA, "MeinLindenau"])
    assert refused.value.code == code


async def test_passwords_are_kept_as_owasp_says() -> None:
    passwords = Passwords()
    phc = await passwords.hash(LONG, ANNA)
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert phc != await passwords.hash(LONG, ANNA)
    assert await passwords.matches(phc, LONG)
    assert not await passwords.matches(phc, LONG + "x")
    assert not await passwords.matches(None, LONG)
    assert not await passwords.matches("no hash", LONG)
    assert await passwords.renewed(phc, LONG) is None
    weak = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(LONG)
    assert await passwords.matches(weak, LONG)
    assert str(await passwords.renewed(weak, LONG)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_nobody_takes_as_long_as_somebody() -> None:
    passwords = Passwords()
    times: dict[str | None, list[float]] = {await passwords.hash(LONG, ANNA): [], None: []}
    for _ in range(9):
        for phc, taken in times.items():
            started = time.perf_counter()
            assert not await passwords.matches(phc, "a wrong long password")
            taken.append(time.perf_counter() - started)
    somebody, nobody = (statistics.median(taken) for taken in times.values())
    assert max(somebody, nobody) < 1.7 * min(somebody, nobody)


async def test_the_same_characters_composed_otherwise_are_the_same_password() -> None:
    passwords = Passwords()
    phc = await passwords.hash("Schöne Grüße aus Köln", ANNA)
    assert await passwords.matches(phc, "Scho\u0308ne Gru\u0308ße aus Ko\u0308ln")


async def test_hashing_does_not_hold_up_anything_else() -> None:
    """While many hash, the loop goes round hundreds of times: it would not once if a hash were on it."""
    passwords, turns = Passwords(), 0
    started = time.perf_counter()
    await passwords.matches(None, LONG)
    one_hash = time.perf_counter() - started
    hashing = asyncio.gather(*(passwords.matches(None, LONG) for _ in range(20)))
    while not hashing.done():
        turns += 1
        await asyncio.sleep(one_hash / 10)
    assert await hashing == [False] * 20
    assert turns > 20


async def test_who_cannot_be_served_soon_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAXIMUM_WAITING", 3)
    passwords = Passwords()
    answers = await asyncio.gather(*(passwords.matches(None, LONG) for _ in range(6)), return_exceptions=True)
    assert [type(answered) for answered in answers] == [bool] * 3 + [Unavailable] * 3


async def test_estimates_hold_up_no_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """While an estimate takes for ever, one waits and the next is refused, and passwords are still compared."""
    estimated = threading.Event()
    monkeypatch.setattr(module, "MAXIMUM_ESTIMATES", 2)
    monkeypatch.setattr(module.rules, "check", lambda *_: estimated.wait(30))
    passwords = Passwords()
    chosen = [asyncio.create_task(passwords.hash(LONG)) for _ in range(2)]
    try:
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await passwords.hash(LONG)
        assert not await asyncio.wait_for(passwords.matches(None, LONG), 20)
        assert not any(task.done() for task in chosen)
    finally:
        estimated.set()
    assert all(phc.startswith("$argon2id$") for phc in await asyncio.gather(*chosen))


def test_an_estimate_is_short_for_the_worst_of_passwords() -> None:
    started = time.process_time()
    with contextlib.suppress(Rejected):
        check("4@8({[</369&#!1/|0$5+7%2" * 8, [ANNA])
    assert time.process_time() - started < 2


def failed(times: int, at: datetime = NOW) -> Attempts:
    attempts: Attempts | None = None
    for _ in range(times):
        attempts, allowed = attempted(attempts, at)
        assert allowed
        at = attempts.locked_until or at
    assert attempts is not None
    return attempts


def test_ten_failures_are_free_then_it_takes_longer_and_longer() -> None:
    assert failed(FREE_FAILURES - 1).locked_until is None
    waits = []
    for number in range(FREE_FAILURES, FREE_FAILURES + 8):
        attempts = failed(number)
        assert attempts.locked_until is not None
        waits.append((attempts.locked_until - attempts.last_at).total_seconds())
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_an_attempt_while_waiting_is_not_looked_at_and_makes_nothing_longer() -> None:
    locked = failed(FREE_FAILURES)
    assert locked.locked_until is not None
    for seconds in (0, 10, 29):
        assert attempted(locked, NOW + timedelta(seconds=seconds)) == (locked, False)
    assert attempted(locked, locked.locked_until)[1]


def test_failures_are_forgotten_after_a_day() -> None:
    many = failed(FREE_FAILURES + 6)
    after, allowed = attempted(many, many.last_at + FORGOTTEN_AFTER)
    assert (allowed, after.failures, after.locked_until) == (True, 1, None)
    assert LONGEST_LOCK < FORGOTTEN_AFTER


def test_accounts_are_counted_by_portal_and_address() -> None:
    assert len({account("portal/a", ANNA), account("portal/b", ANNA), account("staff", ANNA)}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.ORG", "anna@example.org"),
        (" anna@example.org\t", "anna@example.org"),
        ("ａnna@example.org", "anna@example.org"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("mu\u0308ller@example.org", "müller@example.org"),
    ],
)
def test_spellings_of_one_mailbox_are_one_address(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize("other", ["anna+portal@example.org", "a.nna@example.org", "strasse@example.org"])
def test_other_mailboxes_are_others(other: str) -> None:
    assert normalised(other) not in {normalised("anna@example.org"), normalised("straße@example.org")}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "@example.org",
        "anna@example",
        "a b@example.org",
        "a@b@example.org",
        "anna@exam ple.org",
        "anna@example..org",
        "anna@example.org, ben@example.org",
        "anna@example.org\nBcc: x@example.org",
        "<a@b.de>",
        "a" * 65 + "@example.org",
        "anna@" + "x" * 250 + ".org",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="invalid_email"):
        checked(address)
