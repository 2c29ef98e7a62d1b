"""Everything that can be set from outside, as environment variables PORTICO_..."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Settings of a gateway. Secrets are never printed."""

    model_config = SettingsConfigDict(env_prefix="PORTICO_", frozen=True, extra="ignore")

    api_url: str = Field(description="The one address of all APIs, e.g. http://127.0.0.1:8410/api")
    client_id: str = Field(description="Of the gateway's machine, see `portico machine add`")
    client_secret: SecretStr
    gateway_key: SecretStr = Field(
        description="base64 of 32 bytes; seals cookies and hidden fields, the same everywhere"
    )
    staff_url: str = Field(default="http://staff.localhost:8411", description="Where staff reach their pages")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    host: str = "127.0.0.1"
    port: int = Field(default=8411, ge=0, le=65535)
    mailbox_url: str = Field(default="", description="Where developers read the mails that are sent; empty: nowhere")
    development: bool = Field(default=False, description="Shows an index of all sites and the style guide")

    @field_validator("gateway_key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        try:
            key = base64.b64decode(value.get_secret_value(), validate=True)
        except binascii.Error as error:
            raise ValueError("must be base64") from error
        if len(key) != 32:
            raise ValueError("must be base64 of exactly 32 bytes")
        return value

    @property
    def gateway_key_bytes(self) -> bytes:
        return base64.b64decode(self.gateway_key.get_secret_value())
