"""The OpenAPI documents of the services, without running them."""

from __future__ import annotations

import base64
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from pydantic import SecretStr

from chassis.settings import Settings

NOWHERE = SecretStr("postgresql://nobody@127.0.0.1:1/nothing")


def app_of(service: str) -> FastAPI:
    """The service's application as `portico up` makes it, in development; it is never started."""
    settings = Settings(
        database_url=NOWHERE,
        kafka_servers="127.0.0.1:1",
        master_key=SecretStr(base64.b64encode(bytes(32)).decode()),
        identity_url="http://127.0.0.1:1",
        development=True,
    )
    http: FastAPI = import_module(f"services.{service}.app").create(settings).http
    return http


def described(service: str) -> dict[str, Any]:
    """What the service says of itself at /openapi.json."""
    return app_of(service).openapi()
