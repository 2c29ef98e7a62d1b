"""Everything that can be set from outside, as environment variables PORTICO_..., the same for every service."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def key_bytes(key: SecretStr) -> bytes:
    return base64.b64decode(key.get_secret_value())


def _is_key(value: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except binascii.Error as error:
        raise ValueError("must be base64") from error
    if len(key) != 32:
        raise ValueError("must be base64 of exactly 32 bytes")
    return value


def _is_key_or_empty(value: SecretStr) -> SecretStr:
    return _is_key(value) if value.get_secret_value() else value


Key = Annotated[SecretStr, AfterValidator(_is_key)]
KeyOrEmpty = Annotated[SecretStr, AfterValidator(_is_key_or_empty)]


class Settings(BaseSettings):
    """Settings of one process. Secrets are never printed."""

    model_config = SettingsConfigDict(env_prefix="PORTICO_", frozen=True, extra="ignore")

    database_url: SecretStr = Field(description="libpq URL of the service's own role")
    database_connections: int = Field(default=12, ge=4, le=200, description="Most connections of the process")
    kafka_servers: str = Field(description="host:port, comma separated")
    topic_prefix: str = Field(default="portico", pattern=r"^[a-z0-9][a-z0-9.-]{0,60}$")
    topic_replicas: int = Field(default=1, ge=1, le=9)
    shards: int = Field(default=4, ge=1, le=1024, description="Shards of a log; fixed when it is created")
    consumer_session_ms: int = Field(
        default=15_000, ge=1_000, le=300_000, description="For how long a silent instance keeps its partitions"
    )
    master_key: Key = Field(description="base64 of 32 bytes; wraps the keys of persons and signing keys")
    seal_key: KeyOrEmpty = Field(default=SecretStr(""), description="base64 of an Ed25519 key, 32 bytes; signs seals")
    identity_url: str = Field(default="", description="Where the JWKS is; empty in identity itself")
    token_issuer: str = Field(default="portico", description="`iss` of every token")
    smtp_url: SecretStr = Field(
        default=SecretStr("smtp://127.0.0.1:1025"),
        description="smtp://, smtp+starttls:// or smtps://, with user:password@host:port",
    )
    mail_from: str = Field(default="Portico <portal@example.org>")
    objects_url: str = Field(
        default_factory=lambda: Path(".portico/objects").absolute().as_uri(),
        description="Where files of people are kept, sealed: file:///... or s3://bucket/prefix with AWS_ variables",
    )
    virus_scanner: str = Field(
        default="",
        description="A command that gets a file on its standard input and ends with 0 (clean) or 1 (infected), "
        "e.g. `clamdscan --stream -`; empty: files are not scanned",
    )
    otlp_endpoint: str = Field(default="", description="OTLP/HTTP base address for traces; empty: none are sent")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=0, le=65535)
    development: bool = Field(default=False, description="Allows development tokens; never in production")

    @property
    def master_key_bytes(self) -> bytes:
        return key_bytes(self.master_key)

    @property
    def seal_key_bytes(self) -> bytes | None:
        return key_bytes(self.seal_key) or None

    def topic(self, name: str) -> str:
        """The full name of a topic: `billing` -> `portico.billing`."""
        return f"{self.topic_prefix}.{name}"


def faults(error: ValidationError) -> str:
    """What is missing or wrong in the environment, a line for each variable."""
    return "\n".join(f"PORTICO_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors())
