"""The one call between services: short-lived tokens by which a service knows that another one of ours asks it.

Both derive the same key from the master key, so nothing has to be registered and no secret is handed around.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import Request
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from chassis.auth import Forbidden, Unauthenticated
from contracts.topics import SERVICES

LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 10
AUDIENCE = "portico/services"
ALGORITHM = "HS256"
MAXIMUM_BYTES = 2048


class ServiceCalls:
    """Issues and checks the tokens."""

    def __init__(self, master_key: bytes, clock: Callable[[], float] = time.time) -> None:
        derived = HKDF(SHA256(), 32, None, b"portico service calls").derive(master_key)
        self._key = OctKey.import_key(derived)
        self._clock = clock

    def token(self, service: str) -> str:
        """A bearer token by which `service` is known for a minute."""
        claims = {"aud": AUDIENCE, "sub": service, "exp": int(self._clock()) + LIFETIME_SECONDS}
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])

    def caller(self, token: str) -> str:
        """The service behind a token. Raises Unauthenticated (`token_invalid`, `token_expired`)."""
        if len(token) > MAXIMUM_BYTES:
            raise Unauthenticated("token_invalid")
        try:
            claims: dict[str, Any] = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            if claims["aud"] != AUDIENCE or claims["sub"] not in SERVICES:
                raise Unauthenticated("token_invalid")
            if claims["exp"] + LEEWAY_SECONDS < self._clock():
                raise Unauthenticated("token_expired")
        except (JoseError, KeyError, ValueError, TypeError):
            raise Unauthenticated("token_invalid") from None
        return str(claims["sub"])


class CalledByService(SecurityBase):
    """The dependency that `called_by_service` makes; in OpenAPI it is a bearer scheme of its own."""

    def __init__(self, calls: ServiceCalls, services: tuple[str, ...]) -> None:
        self.calls = calls
        self.services = services
        self.model = BearerScheme(bearerFormat="JWT", description="A token among our services; nobody else gets one.")
        self.scheme_name = "service"

    async def __call__(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("unauthenticated")
        service = self.calls.caller(token.strip())
        if service not in self.services:
            raise Forbidden(role=service)
        return service


def called_by_service(calls: ServiceCalls, *services: str) -> Callable[[Request], Coroutine[Any, Any, str]]:
    """`Depends(called_by_service(calls, "notifications"))` yields the calling service's name or refuses."""
    return CalledByService(calls, services)
