"""How those who sign in are named, in tokens, in tables and as the persons whose keys seal their data."""

from __future__ import annotations

USER, STAFF, CONTACT = "user/", "staff/", "contact/"


def user_subject(user_id: str) -> str:
    return USER + user_id


def staff_subject(staff_id: str) -> str:
    return STAFF + staff_id


def id_of(subject: str) -> str:
    """The id behind the kind: `user/4f1c` -> `4f1c`."""
    return subject.partition("/")[2]
