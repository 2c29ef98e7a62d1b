"""Everything that can be set from outside, as environment variables PORTICO_..."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Key, key_bytes


class GatewaySettings(BaseSettings):
    """Settings of a gateway. Secrets are never printed."""

    model_config = SettingsConfigDict(env_prefix="PORTICO_", frozen=True, extra="ignore")

    api_url: str = Field(description="The one address of all APIs, e.g. http://127.0.0.1:8410/api")
    client_id: str = Field(description="Of the gateway's machine, see `portico machine add`")
    client_secret: SecretStr
    gateway_key: Key = Field(description="base64 of 32 bytes; seals cookies and hidden fields, the same everywhere")
    staff_url: str = Field(default="http://staff.localhost:8411", description="Where staff reach their pages")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    host: str = "127.0.0.1"
    port: int = Field(default=8411, ge=0, le=65535)
    mailbox_url: str = Field(default="", description="Where developers read the mails that are sent; empty: nowhere")
    development: bool = Field(default=False, description="Shows an index of all sites and the style guide")

    @property
    def gateway_key_bytes(self) -> bytes:
        return key_bytes(self.gateway_key)
