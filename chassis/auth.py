"""Who calls: bearer tokens are checked against identity's published keys, and turned into a Principal with a role."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, get_args

import httpx
import structlog
from fastapi import FastAPI, Request
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from chassis.errors import Rejected, Unavailable

Role = Literal["customer", "installer", "staff", "operator", "erp", "gateway", "service"]
ROLES: tuple[Role, ...] = get_args(Role)
STAFF: tuple[Role, ...] = ("staff", "operator")

AUDIENCE = "portico"
ALGORITHM = "EdDSA"
TOKEN_TYPE = "at+jwt"  # noqa: S105 the media type of access tokens, RFC 9068
LEEWAY_SECONDS = 10
MAXIMUM_TOKEN_BYTES = 4096
CACHED_TOKENS = 10_000
CACHED_SECONDS = 60
FETCH_TIMEOUT_SECONDS = 3
FETCH_AGAIN_SECONDS = 10
REFRESH_SECONDS = 60
STALE_SECONDS = 3600
MAXIMUM_KEYS = 100
MAXIMUM_JWKS_BYTES = 64 * 1024

log = structlog.get_logger()


class Unauthenticated(Rejected):
    """No token, or one that is not accepted."""


class Forbidden(Rejected):
    """A known caller whose role may not do this."""

    def __init__(self, code: str = "forbidden", **facts: object) -> None:
        super().__init__(code, **facts)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and for whom. `actor` is the member of staff who acts as this person."""

    role: Role
    subject: str
    contact_id: str | None = None
    portal_id: str | None = None
    actor: str | None = None

    @property
    def responsible(self) -> str:
        """Who really does it: the acting member of staff, or the caller himself."""
        return self.actor or self.subject

    @property
    def is_staff(self) -> bool:
        """Works for the utility: an operator may do all that staff may."""
        return self.role in STAFF

    def claims(self) -> dict[str, Any]:
        """The claims that make a token of this principal."""
        claims: dict[str, Any] = {"sub": self.subject, "role": self.role}
        claims |= {"contact_id": self.contact_id} if self.contact_id else {}
        claims |= {"portal_id": self.portal_id} if self.portal_id else {}
        return claims | ({"act": {"sub": self.actor}} if self.actor else {})


class Keys(Protocol):
    """Public keys by their id."""

    async def find(self, key_id: str) -> OKPKey | None:
        """The key, or None when there is no such key. Raises Unavailable when that cannot be said now."""


class LocalKeys:
    """Keys at hand: for tests, and for whoever signs himself."""

    def __init__(self, keys: Iterable[OKPKey]) -> None:
        self._keys = {key.kid: key for key in keys}

    async def find(self, key_id: str) -> OKPKey | None:
        return self._keys.get(key_id)


class RemoteKeys:
    """The JWKS of identity: refreshed every minute beside the requests, and at once, though seldom, for an unknown key.

    While identity cannot be reached the last keys serve for up to an hour.
    """

    def __init__(
        self,
        identity_url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{identity_url.rstrip('/')}/.well-known/jwks.json"
        self._transport = transport
        self._clock = clock
        self._keys: Mapping[str, OKPKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> OKPKey | None:
        age = self._clock() - self._fetched_at
        key = self._keys.get(key_id) if age < STALE_SECONDS else None
        if key is None:
            await self._fetch()
            if self._fetched_at < self._tried_at:
                raise Unavailable("the keys of identity cannot be fetched")
            return self._keys.get(key_id)
        if age > REFRESH_SECONDS:
            self._start()
        return key

    async def _fetch(self) -> None:
        task = self._start()
        if task is not None:
            await asyncio.shield(task)

    def _start(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one unless the last try was a moment ago."""
        if self._fetching is None and self._clock() - self._tried_at >= FETCH_AGAIN_SECONDS:
            self._fetching = asyncio.create_task(self._download())
        return self._fetching

    async def _download(self) -> None:
        try:
            async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_SECONDS, transport=self._transport) as client:
                answer = (await client.get(self._url)).raise_for_status()
            if len(answer.content) > MAXIMUM_JWKS_BYTES:
                raise ValueError("the JWKS is too large")
            self._keys = public_keys(answer.json())
            self._fetched_at = self._tried_at = self._clock()
        except (httpx.HTTPError, ValueError, JoseError) as error:
            self._tried_at = self._clock()
            log.warning("keys of identity not fetched", url=self._url, error=str(error) or type(error).__name__)
        finally:
            self._fetching = None


def public_keys(jwks: Any) -> dict[str, OKPKey]:
    """The Ed25519 signing keys of a JWKS by id; others are passed over. Raises ValueError when it is no JWKS."""
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise ValueError("not a JWKS")
    found: dict[str, OKPKey] = {}
    for entry in jwks["keys"][:MAXIMUM_KEYS]:
        wanted = isinstance(entry, dict) and entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519"
        if wanted and entry.get("use", "sig") == "sig" and isinstance(entry.get("kid"), str):
            found[entry["kid"]] = OKPKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "kid")})
    return found


class _OnlyEdDSA(JWSRegistry):
    """A registry in which no other algorithm exists; RFC 9864's name for it is understood by too few libraries yet."""

    algorithms = {ALGORITHM: copy.copy(JWSRegistry.algorithms[ALGORITHM])}  # noqa: RUF012 declared so by the base
    max_header_length = 512
    max_payload_length = MAXIMUM_TOKEN_BYTES


_OnlyEdDSA.algorithms[ALGORITHM].security_warning = None
_REGISTRY = _OnlyEdDSA(algorithms=[ALGORITHM])


class TokenVerifier:
    """Checks signature, issuer, audience, type and times of a token; remembers for a minute what it has checked."""

    def __init__(self, keys: Keys, issuer: str = "portico", clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        self._claims = JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._verified: dict[bytes, tuple[float, Principal]] = {}

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for. Raises Unauthenticated (`token_invalid`, `token_expired`) or Unavailable."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        until, principal = self._verified.get(digest, (0.0, None))
        if principal is not None and until > self._clock():
            return principal
        claims = await self._check(token)
        principal = _principal(claims)
        if len(self._verified) >= CACHED_TOKENS:
            self._verified.clear()
        self._verified[digest] = (min(claims["exp"] + LEEWAY_SECONDS, self._clock() + CACHED_SECONDS), principal)
        return principal

    async def _check(self, token: str) -> dict[str, Any]:
        if len(token) > MAXIMUM_TOKEN_BYTES:
            raise Unauthenticated("token_invalid")
        try:
            header = jws.extract_compact(token.encode(), registry=_REGISTRY).headers()
            key_id = header.get("kid")
            key = await self._keys.find(key_id) if isinstance(key_id, str) else None
            if key is None or header.get("typ") != TOKEN_TYPE:
                raise Unauthenticated("token_invalid")
            claims = jwt.decode(token, key, registry=_REGISTRY).claims
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated("token_expired") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("token_invalid") from None
        return claims


def _principal(claims: Mapping[str, Any]) -> Principal:
    act = claims.get("act")
    names = (claims.get("contact_id"), claims.get("portal_id"), act.get("sub") if isinstance(act, dict) else act)
    if claims.get("role") not in ROLES or not claims["sub"] or any(not isinstance(n, str | None) for n in names):
        raise Unauthenticated("token_invalid")
    return Principal(claims["role"], claims["sub"], *names)


def generate_key() -> OKPKey:
    """A new Ed25519 key whose id is its RFC 7638 thumbprint."""
    key = OKPKey.generate_key("Ed25519")
    key.ensure_kid()
    return key


def issue(
    key: OKPKey,
    claims: Mapping[str, Any],
    lifetime: timedelta,
    *,
    issuer: str = "portico",
    now: float | None = None,
) -> str:
    """A signed token of `claims` (see `Principal.claims`), which may override the issuer, audience and times."""
    issued_at = int(time.time() if now is None else now)
    expires_at = issued_at + int(lifetime.total_seconds())
    standard = {"iss": issuer, "aud": AUDIENCE, "iat": issued_at, "nbf": issued_at, "exp": expires_at}
    header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": key.kid}
    return jwt.encode(header, {**standard, "jti": uuid.uuid4().hex, **claims}, key, registry=_REGISTRY)


PRINCIPAL = "portico.principal"
VERIFIER = "verifier"


def trust(app: FastAPI, verifier: TokenVerifier) -> None:
    """Lets the app accept the tokens that this verifier accepts."""
    setattr(app.state, VERIFIER, verifier)


async def authenticate(request: Request) -> Principal | None:
    """Who sends this request; None when it carries no token. Raises Unauthenticated for one that is not accepted."""
    known: Principal | None = request.scope.get(PRINCIPAL)
    if known is not None:
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("token_invalid")
    verifier: TokenVerifier = getattr(request.app.state, VERIFIER)
    principal = await verifier.verify(token.strip())
    request.scope[PRINCIPAL] = principal
    structlog.contextvars.bind_contextvars(actor=principal.responsible)
    return principal


class Allow(SecurityBase):
    """The dependency that `allow` makes; in OpenAPI it is the bearer scheme."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        self.roles = roles
        self.model = BearerScheme(bearerFormat="JWT", description="A token of identity, see `POST /token`.")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Principal:
        principal = await authenticate(request)
        if principal is None:
            raise Unauthenticated("unauthenticated")
        if self.roles and principal.role not in self.roles:
            raise Forbidden(role=principal.role)
        return principal


def allow(*roles: Role) -> Allow:
    """`Depends(allow("staff", "operator"))` yields the Principal or refuses; without roles any valid token will do."""
    return Allow(roles)
