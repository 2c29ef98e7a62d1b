"""Which contact a portal user is: by his address, or by what only he and we know. And the list of what to look at."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime

from chassis.log import Connection
from contracts.common import Json
from services.identity.contacts.views import CONTACT, CONTRACT, KnownRecord

COUNTRY_CODE_DIGITS = 3
FEWEST_PHONE_DIGITS = 6
_GERMAN_DATE = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def fitting(
    answers: Mapping[str, str], contacts: Sequence[KnownRecord], contracts: Sequence[KnownRecord]
) -> tuple[str, ...]:
    """The contacts for which every answer is right; what is asked of a contract must be right for one and the same."""
    of_contact = {path: answer for path, answer in answers.items() if path.startswith(f"{CONTACT}.")}
    of_contract = {path: answer for path, answer in answers.items() if path.startswith(f"{CONTRACT}.")}
    if not answers or len(of_contact) + len(of_contract) != len(answers):
        return ()
    return tuple(
        contact.id
        for contact in contacts
        if _all_right(of_contact, contact)
        and (
            not of_contract
            or any(_all_right(of_contract, contract) for contract in contracts if contract.holder == contact.id)
        )
    )


def _all_right(answers: Mapping[str, str], record: KnownRecord) -> bool:
    return all(is_same(record.values.get(path.partition(".")[2]), answer) for path, answer in answers.items())


def is_same(stored: Json, given: str) -> bool:
    """Whether people would say that both are the same: case, spaces and hyphens do not count, nor how a date is put."""
    if isinstance(stored, list):
        return any(is_same(one, given) for one in stored)
    if stored is None or isinstance(stored, bool | dict):
        return False
    text = str(stored)
    if text.startswith("+"):
        return _is_same_phone(_digits(text), given)
    if _ISO_DATE.fullmatch(text):
        return text == _as_iso_date(given)
    return _folded(text) == _folded(given) != ""


def _is_same_phone(stored: str, given: str) -> bool:
    digits = _digits(given).removeprefix("00") if not given.strip().startswith("+") else _digits(given)
    national = digits.removeprefix("0")
    if len(national) < FEWEST_PHONE_DIGITS:
        return False
    return stored == digits or (
        digits != national and stored.endswith(national) and len(stored) - len(national) <= COUNTRY_CODE_DIGITS
    )


def _digits(text: str) -> str:
    return "".join(character for character in text.replace("(0)", "") if character in "0123456789")


def _as_iso_date(text: str) -> str:
    text = text.strip()
    with suppress(ValueError):
        if german := _GERMAN_DATE.fullmatch(text):
            day, month, year = map(int, german.groups())
            return date(year, month, day).isoformat()
    return text


def _folded(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


async def look_again(connection: Connection, emails: Iterable[str], due_at: datetime) -> None:
    """Users with these addresses who belong to no contact yet are to be looked at, not before `due_at`."""
    wanted = sorted(set(emails))
    if wanted:
        await connection.execute(
            "INSERT INTO matching AS m (email, due_at) SELECT unnest(%s::text[]), %s ON CONFLICT (email) DO UPDATE SET "
            "due_at = CASE WHEN m.tries = 0 THEN greatest(m.due_at, excluded.due_at) ELSE excluded.due_at END, "
            "asked = m.asked + 1, tries = 0",
            (wanted, due_at),
        )
