"""What every event is made of: its type on the wire, its versions, and the marking of personal data."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ORGANISATION = "portico"


class Contract(BaseModel):
    """A frozen value of the published language. Unknown fields are ignored: contracts grow by addition."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")


class Sealed(Contract):
    """A personal value as it is stored and published: encrypted with the key of the person it belongs to.

    `box` is base64 of nonce (12 bytes) and AES-256-GCM ciphertext of the JSON value.
    """

    model_config = ConfigDict(extra="forbid")

    sealed: str = Field(description="The person whose key opens the box, e.g. contact/4f1c...")
    box: str = Field(description="base64 of nonce and AES-256-GCM ciphertext", repr=False)


class PersonalMark:
    """Marks a field whose value is encrypted inside the event."""


T = TypeVar("T")
Personal = Annotated[Sealed | T, Field(union_mode="left_to_right"), PersonalMark()]
"""`Personal[str]`: plain where its person's key is at hand, `Sealed` in the log, on topics, and after erasure."""


def known(value: T | Sealed) -> T | None:
    """The plain value, or None when it is sealed (its person was erased or must not be seen)."""
    return None if isinstance(value, Sealed) else value


class Event(Contract):
    """A fact. Declare one as `class InstalmentChanged(Event, service="billing")`.

    A breaking change is a new class with the next `version`; the old one stays beside it under another name
    with `wire_name` set and an `upcast` that returns the newer event.
    """

    service: ClassVar[str]
    version: ClassVar[int]
    wire_name: ClassVar[str]
    type: ClassVar[str]
    personal_fields: ClassVar[dict[str, TypeAdapter[Any]]] = {}

    def __init_subclass__(
        cls, service: str = "", version: int = 1, wire_name: str | None = None, abstract: bool = False
    ) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if not kwargs.get("abstract"):
            cls._register(**kwargs)

    @classmethod
    def _register(cls, service: str, version: int = 1, wire_name: str | None = None) -> None:
        cls.service = service
        cls.version = version
        cls.wire_name = wire_name or cls.__name__
        cls.type = f"{ORGANISATION}.{service}.{cls.wire_name}.v{version}"
        cls.personal_fields = {
            name: TypeAdapter(get_args(field.annotation)[1])
            for name, field in cls.model_fields.items()
            if any(isinstance(mark, PersonalMark) for mark in field.metadata)
        }
        if cls.personal_fields and "person" not in cls.model_fields:
            raise TypeError(f"{cls.__name__}: an event with personal fields names their owner in `person`")
        if cls.type in REGISTRY:
            raise TypeError(f"{cls.type} is declared twice")
        REGISTRY[cls.type] = cls

    def upcast(self) -> Event:
        """The same fact in the next version; the newest version returns itself."""
        return self


REGISTRY: dict[str, type[Event]] = {}


class UnknownEventType(ValueError):
    """The type on the wire is not part of this version of the contracts."""


def decode(event_type: str, data: bytes) -> Event:
    """Loads an event as the version it was published in; raises UnknownEventType or pydantic's ValidationError."""
    cls = REGISTRY.get(event_type)
    if cls is None:
        raise UnknownEventType(event_type)
    return cls.model_validate_json(data)


def newest(event: Event) -> Event:
    """The same fact in the newest version of its type."""
    while (newer := event.upcast()) is not event:
        event = newer
    return event
