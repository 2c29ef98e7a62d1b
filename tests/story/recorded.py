"""An account that remembers what it was told, for tests of the stories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cli.story.account import Lines
from cli.story.erp import Heard, Sent


@dataclass
class Recorded:
    """What was told, in order."""

    chapters: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    answers: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)
    messages: list[Sent] = field(default_factory=list)
    events: list[Heard] = field(default_factory=list)
    pages: list[dict[str, str]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        self.chapters.append(title)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def request(self, who: str, line: str, body: Any, status: int, answer: Lines) -> None:
        self.answers.append((who, status, dict(answer)))

    def sent(self, who: str, message: Sent) -> None:
        self.messages.append(message)

    def event(self, heard: Heard) -> None:
        self.events.append(heard)

    def page(self, title: str, url: str, lines: Lines) -> None:
        self.pages.append(dict(lines))

    def mail(self, to: str, subject: str, link: str) -> None:
        self.subjects.append(subject)

    def checked(self, what: str) -> None:
        self.checks.append(what)
