"""Which passwords are refused: too short, guessed at once, or made of the user's own address. Nothing else is asked.

After NIST SP 800-63B-4, 3.1.1: length counts, no composition rules, and a blocklist; zxcvbn knows the common passwords
of breaches, keyboard rows, repetitions and sequences, and says how many guesses a password withstands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from zxcvbn import zxcvbn

from chassis.errors import Rejected

MINIMUM_LENGTH = 15
MAXIMUM_LENGTH = 200
ESTIMATED_LENGTH = 24
"""The time of an estimate grows far faster than the length; more characters make no password weaker."""
ENOUGH_GUESSES = 10**9
OWN_WORD = 4
ENOUGH_BESIDE_OWN_WORDS = 8
COMMON_HERE = ("passwort", "kennwort", "geheim", "hallo", "schatz", "kundenportal", "portal", "strom")


def normalised(password: str) -> str:
    """The same characters however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, own: Sequence[str]) -> None:
    """Raises Rejected with the reason why a password cannot be taken. `own` texts, such as the address, are guessed."""
    if len(password) < MINIMUM_LENGTH:
        raise Rejected("invalid_password_short", minimum=MINIMUM_LENGTH)
    if len(password) > MAXIMUM_LENGTH:
        raise Rejected("invalid_password_long", maximum=MAXIMUM_LENGTH)
    words = _words(own)
    if len(_without(words, password.lower())) < ENOUGH_BESIDE_OWN_WORDS:
        raise Rejected("invalid_password_personal")
    estimate = zxcvbn(password[:ESTIMATED_LENGTH], [*words, *COMMON_HERE], max_length=ESTIMATED_LENGTH)
    if estimate["guesses"] < ENOUGH_GUESSES:
        raise Rejected("invalid_password_common")


def _words(texts: Sequence[str]) -> list[str]:
    """The texts and their words, the longest first."""
    words = {part for text in texts for part in (text.lower(), *re.split(r"[^\w]+|_", text.lower()))}
    return sorted((word for word in words if len(word) >= OWN_WORD), key=len, reverse=True)


def _without(words: list[str], text: str) -> str:
    for word in words:
        text = text.replace(word, "")
    return text
