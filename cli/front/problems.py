"""What the one address itself says when no service answers: problem+json as the services speak it."""

from __future__ import annotations

from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis.texts import Texts, language_of

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "2"
TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def problem(request: Request, status: int, code: str, *, retry: bool = False, **facts: object) -> Response:
    """RFC 9457, in German or English."""
    language = language_of(request.headers.get("accept-language"))
    body = {
        **facts,
        "type": f"urn:portico:problem:{code}",
        "title": TEXTS.say(f"title_{status}", language),
        "status": status,
        "detail": TEXTS.say(code, language, facts),
        "code": code,
        "instance": request.url.path,
    }
    headers = {"Content-Language": language, "Cache-Control": "no-store", "Vary": "Accept-Language"}
    headers |= {"Retry-After": RETRY_SECONDS} if retry else {}
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)
