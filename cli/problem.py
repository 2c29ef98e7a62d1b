"""The one way in which a command ends with bad news: a sentence for a person, what to do about it, no traceback."""


class Problem(Exception):
    """`message` says what is wrong, `advice` how to get on; both are shown to the person at the terminal."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
