"""Everything that goes wrong becomes one answer: RFC 9457 problem+json with a stable code, in German or English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from chassis.auth import Forbidden, Unauthenticated
from chassis.errors import Conflict, NotFound, PreconditionFailed, Rejected, Unavailable
from chassis.texts import Texts, language_of

MEDIA_TYPE = "application/problem+json"
MAXIMUM_MISTAKES = 100
MAXIMUM_PATH = 200
RETRY_SECONDS = 2
CORRELATION = "portico.correlation_id"
BODY_LIMIT = "portico.body_limit"
TEXTS = "texts"

STATUS_OF_CODE = {
    "invalid_json": 400,
    "invalid_json_depth": 400,
    "invalid_character": 400,
    "idempotency_key_reused": 422,
    "not_permitted": 403,
    "body_too_slow": 408,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "unsupported_encoding": 415,
    "method_not_allowed": 405,
    "internal_error": 500,
}
STATUS_OF_FAMILY = {"invalid": 422, "forbidden": 403, "unauthenticated": 401}
CODE_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}

log = structlog.get_logger()


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    path: str = Field(description="Where, e.g. `body.instalments.0.amount_cents`")
    message: str
    code: str = Field(description="Stable, e.g. `missing`, `greater_than_equal`")


class DocumentMistake(BaseModel):
    """One thing that is wrong in a document (chassis/documents.py)."""

    path: str = Field(description="Where in the document, e.g. `steps.0.fields.reason.options`")
    detail: str


class Problem(BaseModel):
    """RFC 9457. Further members are the facts of the refusal, e.g. `upper_limit_cents`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="urn:portico:problem:CODE")
    title: str
    status: int
    detail: str = Field(description="A sentence for people, in the language of Accept-Language (de, en)")
    code: str = Field(description="Stable; what a program decides on")
    instance: str = Field(description="The path that was asked for")
    correlation_id: str = Field(description="Finds this request in logs and traces")
    errors: list[Mistake] | None = Field(default=None, description="With the code invalid_request")
    mistakes: list[DocumentMistake] | None = Field(default=None, description="With the code invalid_document")


def status_of(rejected: Rejected) -> int:
    """The HTTP status of a refusal."""
    match rejected:
        case Unauthenticated():
            return 401
        case NotFound():
            return 404
        case Forbidden():
            return 403
    family = rejected.code.partition("_")[0]
    return STATUS_OF_CODE.get(rejected.code) or STATUS_OF_FAMILY.get(family) or 409


def problem(
    scope: Scope,
    status: int,
    code: str,
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer; facts that are named like a standard member are not shown."""
    texts: Texts = getattr(scope["app"].state, TEXTS)
    language = language_of(_header(scope, b"accept-language"))
    correlation_id = str(scope.get(CORRELATION, ""))
    facts = dict(facts or {})
    title = texts.say(f"title_{status}", language) or code
    detail = texts.say(code, language, {**facts, "correlation_id": correlation_id})
    if detail is None:
        log.warning("no sentence for a code", code=code, facts=sorted(facts))
    body = facts | {
        "type": f"urn:portico:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": code,
        "instance": scope["path"],
        "correlation_id": correlation_id,
    }
    answered = Response(orjson.dumps(body, default=_plain, option=orjson.OPT_NON_STR_KEYS), status)
    answered.headers.update({"Content-Type": MEDIA_TYPE, "Content-Language": language, "Cache-Control": "no-store"})
    answered.headers.update({"Vary": "Accept-Language"} | dict(headers or {}))
    return answered


def rejection(scope: Scope, rejected: Rejected) -> Response:
    """The answer to a refusal."""
    status = status_of(rejected)
    challenge = {"WWW-Authenticate": 'Bearer realm="portico"'} if status == 401 else {}
    if status == 401 and rejected.code != "unauthenticated":
        challenge = {"WWW-Authenticate": 'Bearer realm="portico", error="invalid_token"'}
    return problem(scope, status, rejected.code, rejected.facts, challenge)


def install(app: FastAPI) -> None:
    """Lets the app answer with problems, whatever is raised in it."""
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(Conflict, _conflict)
    for passing in (Unavailable, psycopg.OperationalError, KafkaError, TimeoutError):
        app.add_exception_handler(passing, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _rejected(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)  # noqa: S101 registered for it
    return rejection(request.scope, error)


async def _conflict(request: Request, error: Exception) -> Response:
    assert isinstance(error, Conflict)  # noqa: S101 registered for it
    facts = {"expected_version": error.expected, "actual_version": error.actual}
    if isinstance(error, PreconditionFailed):
        return problem(request.scope, 412, "precondition_failed", facts)
    return problem(request.scope, 409, "conflict", facts)


async def _unavailable(request: Request, error: Exception) -> Response:
    if isinstance(error, psycopg.errors.ProgramLimitExceeded):
        raise error
    return unavailable(request.scope, error)


def unavailable(scope: Scope, error: Exception) -> Response:
    """The answer when something needed is full, busy or away: the same request can succeed later."""
    log.warning("unavailable", reason=f"{type(error).__name__}: {error}", path=scope["path"])
    return problem(scope, 503, "unavailable", headers={"Retry-After": str(RETRY_SECONDS)})


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for it
    errors = error.errors()
    if any(mistake["type"] == "json_invalid" for mistake in errors):
        return problem(request.scope, 400, "invalid_json")
    media_type = (_header(request.scope, b"content-type") or "").partition(";")[0]
    if media_type and not media_type.endswith("json") and any(mistake["loc"] == ("body",) for mistake in errors):
        return problem(request.scope, 415, "unsupported_media_type")
    return problem(request.scope, 422, "invalid_request", {"errors": mistakes(errors)})


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for it
    code = CODE_OF_STATUS.get(error.status_code, "invalid_request" if error.status_code < 500 else "internal_error")
    facts = {"limit_bytes": request.scope.get(BODY_LIMIT)} if code == "body_too_large" else {}
    return problem(request.scope, error.status_code, code, facts, error.headers)


def mistakes(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Pydantic's errors without the input, which may hold a secret or personal data."""
    return [
        {"path": _path(error["loc"]), "message": _message(error), "code": error["type"]}
        for error in errors[:MAXIMUM_MISTAKES]
    ]


def _path(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location)[:MAXIMUM_PATH]


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "union_tag_invalid":
        return f"Expected one of {error['ctx']['expected_tags']}"
    return str(error["msg"])


def _header(scope: Scope, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def _plain(value: object) -> object:
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case date() | Decimal():
            return str(value)
        case set() | frozenset():
            return sorted(value, key=str)
        case _:
            return str(value)
