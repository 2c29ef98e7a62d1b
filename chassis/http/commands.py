"""What a command brings along in headers, what its answer carries, and reading with ETags."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from chassis import streams
from chassis.auth import authenticate
from chassis.errors import Rejected
from chassis.http.boundary import route_of
from chassis.http.endpoints import BODY
from chassis.http.problems import CORRELATION
from chassis.log import CommandKey
from chassis.streams import Outcome
from chassis.telemetry import traceparent
from contracts.envelope import Metadata

MAXIMUM_KEY = 200
KEY = re.compile(r"[\x21-\x7e]{1,200}")
VERSION = re.compile(r'"(\d{1,9})"')

PARAMETERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes the command happen once, however often it is sent",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAXIMUM_KEY},
    },
    {
        "name": "If-Match",
        "in": "header",
        "description": "The version that the command is meant for, as in the ETag of an answer",
        "schema": {"type": "string", "examples": ['"3"']},
    },
]
"""What OpenAPI says of the requests of a command."""
ANSWERED = {
    "Portico-Position": {
        "description": "Where its events stand; a read that gets this header shows them",
        "schema": {"type": "string", "examples": ["billing/2:1234"]},
    },
    "ETag": {"description": "The version of the stream", "schema": {"type": "string", "examples": ['"4"']}},
}
"""What OpenAPI says of the answers to a command."""


async def command_request(request: Request) -> streams.Request:
    """The dependency that makes a request's metadata, idempotency key and expected version.

    It reads the headers itself: FastAPI's own header parameters cost as much as the rest of a request.
    """
    metadata = await command_metadata(request)
    idempotency_key, if_match = request.headers.get("idempotency-key"), request.headers.get("if-match")
    return streams.Request(
        metadata,
        None if idempotency_key is None else await _key(request, idempotency_key),
        None if if_match is None else _version(if_match),
    )


async def command_metadata(request: Request) -> Metadata:
    """The dependency for commands whose answer cannot be repeated, such as a secret that is shown once."""
    principal = await authenticate(request)
    return Metadata(
        correlation_id=request.scope[CORRELATION],
        actor=principal.responsible if principal else None,
        traceparent=traceparent(),
        acted_as=principal.subject if principal and principal.actor else None,
    )


CommandRequest = Annotated[streams.Request, Depends(command_request)]
CommandMetadata = Annotated[Metadata, Depends(command_metadata)]


def answer(response: Response, outcome: Outcome) -> None:
    """Tells with the answer to a command where its events stand, and which version the stream has now."""
    response.headers["Portico-Position"] = str(outcome.position)
    response.headers["ETag"] = f'"{outcome.version}"'


def conditional(request: Request, body: BaseModel | bytes, media_type: str = "application/json") -> Response:
    """Answers a read with a strong ETag of its bytes, or with 304 when the client has them already."""
    content = body if isinstance(body, bytes) else body.model_dump_json().encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _has(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _has(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    tags = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return tag in tags or tags == {"*"}


async def _key(request: Request, key: str) -> CommandKey:
    """Belongs to its sender and the route; a fingerprint of the whole request tells a repetition from a mix-up."""
    if not KEY.fullmatch(key):
        raise Rejected("invalid_idempotency_key", limit=MAXIMUM_KEY)
    scope = request.scope
    principal = await authenticate(request)
    subject = principal.subject if principal else ""
    own = orjson.dumps([subject, scope["method"], route_of(scope), key])
    body = scope[BODY].content if BODY in scope else await request.body()
    sent = b"\n".join([scope["method"].encode(), scope["path"].encode(), scope["query_string"], body])
    return CommandKey(hashlib.sha256(own).hexdigest(), hashlib.sha256(sent).hexdigest())


def _version(if_match: str) -> int:
    found = VERSION.fullmatch(if_match.strip())
    if found is None:
        raise Rejected("invalid_if_match")
    return int(found.group(1))
