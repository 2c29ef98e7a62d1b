"""Runs FastAPI's endpoints: what each needs is planned once, where FastAPI itself finds it out with every request.

FastAPI declares and describes all routes, and answers those that no plan covers: forms, functions that block or yield,
paths and methods that do not exist. A plan validates, calls and answers in the same order, by FastAPI's own functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from pydantic_core import PydanticUndefined
from starlette.types import ASGIApp, Receive, Scope, Send

BODY = "portico.body"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PLAIN = (str, str | None, int, int | None, bool, date, date | None)
PLAIN_DEFAULTS = (str, int, bool, type(None), type(PydanticUndefined))
FAILED = object()


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request that was read already, and what its JSON says."""

    content: bytes
    value: Any


class Prepared(Response):
    """What calls set on the answer before there is one: headers, and another status."""

    def __init__(self, status: int) -> None:
        self.status_code = status
        self.raw_headers = []


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value from the path, the query or the headers. What is more than a plain value FastAPI finds."""

    place: str
    field: Any
    alias: str
    is_plain: bool

    def read(self, request: Request) -> tuple[Any, list[Any]]:
        """What the request says, or the default; and what is wrong with it."""
        received = getattr(request, self.place)
        info = self.field.field_info
        if self.is_plain and (given := received.get(self.alias)) is not None:
            value, mistakes = self.field.validate(given, {}, loc=(info.in_.value, self.alias))
            return value, mistakes
        if self.is_plain and not info.is_required():
            return info.default, []
        found, mistakes = request_params_to_args([self.field], received)
        return found.get(self.field.name), mistakes


@dataclass(frozen=True, slots=True)
class Step:
    """One call: of a dependency, or of the endpoint. `results` says which steps' results go into which arguments."""

    call: Callable[..., Awaitable[Any]]
    results: Sequence[tuple[str, int]]
    parameters: Sequence[Parameter]
    body: Sequence[Any]
    request: str | None
    response: str | None

    async def arguments(self, request: Request, prepared: Prepared, embed: bool) -> tuple[dict[str, Any], list[Any]]:
        """What the request gives for them, and what is wrong with it."""
        values: dict[str, Any] = {}
        mistakes: list[Any] = []
        for parameter in self.parameters:
            values[parameter.field.name], wrong = parameter.read(request)
            mistakes += wrong
        if self.body:
            found, wrong = await request_body_to_args(list(self.body), request.scope[BODY].value, embed)
            values |= found
            mistakes += wrong
        if self.request:
            values[self.request] = request
        if self.response:
            values[self.response] = prepared
        return values, mistakes


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a route in the order in which FastAPI takes them; the last one is the endpoint."""

    path: str
    convertors: dict[str, Any]
    steps: Sequence[Step]
    reads_body: bool
    embed: bool
    status: int
    serialize: Callable[..., Awaitable[Any]]
    answer: type[Response]

    async def run(self, request: Request) -> Response:
        """Raises RequestValidationError with all that is wrong, and whatever the calls raise."""
        prepared = Prepared(self.status)
        results: list[Any] = []
        mistakes: list[Any] = []
        for step in self.steps:
            values, wrong = await step.arguments(request, prepared, self.embed)
            mistakes += wrong
            is_endpoint = len(results) == len(self.steps) - 1
            if mistakes and (wrong or is_endpoint or any(results[index] is FAILED for _, index in step.results)):
                results.append(FAILED)
                continue
            for name, index in step.results:
                values[name] = results[index]
            results.append(await step.call(**values))
        if mistakes:
            raise RequestValidationError(mistakes)
        return await self._answer(results[-1], prepared)

    async def _answer(self, result: Any, prepared: Prepared) -> Response:
        if isinstance(result, Response):
            return result
        content = await self.serialize(response_content=result)
        response = self.answer(content, prepared.status_code, media_type="application/json")
        if not is_body_allowed_for_status_code(prepared.status_code):
            response.body = b""
        response.raw_headers.extend(prepared.raw_headers)
        return response


class Endpoints:
    """Finds the plan for a request in one table; where there is none, `otherwise` answers: FastAPI's own stack."""

    def __init__(self, app: FastAPI, otherwise: ASGIApp) -> None:
        self._app = app
        self._otherwise = otherwise
        self._plans: dict[str, list[tuple[Callable[[str], Any], Plan | None]]] = {method: [] for method in METHODS}
        for route in iter_route_contexts(app.routes):
            planned = plan(route)
            for method in METHODS & (route.methods or METHODS):
                self._plans[method].append((route.path_regex.match, planned))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope)
        if found is None:
            await self._otherwise(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await found.run(request)
        except Exception as error:
            handlers = self._app.exception_handlers
            handle: Any = next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
            if handle is None:
                raise
            response = await handle(request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Plan | None:
        """The first route that matches decides, as in FastAPI."""
        if scope["type"] != "http" or scope.get("root_path"):
            return None
        for match, found in self._plans.get(scope["method"], ()):
            matched = match(scope["path"])
            if matched:
                if found is None or (found.reads_body and BODY not in scope):
                    return None
                convertors = found.convertors
                scope["path_params"] = {n: convertors[n].convert(value) for n, value in matched.groupdict().items()}
                scope["route"] = found
                return found
        return None


def plan(context: RouteContext) -> Plan | None:
    """The plan for a route, or None when it needs what only FastAPI does."""
    route: Any = context
    if type(context.original_route) is not APIRoute or not isinstance(route.response_class, DefaultPlaceholder):
        return None
    if not all(_is_covered(dependant) for dependant in _all(route.dependant)):
        return None
    steps: list[Step] = []
    _add_steps(route.dependant, steps, {})
    serialize = partial(
        serialize_response,
        field=route.response_field,
        include=route.response_model_include,
        exclude=route.response_model_exclude,
        by_alias=route.response_model_by_alias,
        exclude_unset=route.response_model_exclude_unset,
        exclude_defaults=route.response_model_exclude_defaults,
        exclude_none=route.response_model_exclude_none,
        dump_json=route.response_field is not None,
    )
    return Plan(
        path=route.path,
        convertors=route.param_convertors,
        steps=tuple(steps),
        reads_body=route.body_field is not None,
        embed=route._embed_body_fields,
        status=route.status_code or 200,
        serialize=serialize,
        answer=Response if route.response_field else JSONResponse,
    )


def _all(dependant: Dependant) -> Iterator[Dependant]:
    for needed in dependant.dependencies:
        yield from _all(needed)
    yield dependant


def _is_covered(dependant: Dependant) -> bool:
    call = dependant.call
    others = (
        dependant.cookie_params,
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
        dependant.concurrency,
        any(isinstance(field.field_info, Form) for field in dependant.body_params),
    )
    is_coroutine = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004
    return is_coroutine and not any(others)


def _add_steps(dependant: Dependant, steps: list[Step], known: dict[object, int]) -> int:
    """Adds what a call needs, each once, and then the call; returns where its result will be."""
    results: list[tuple[str, int]] = []
    for needed in dependant.dependencies:
        index = known.get(needed.call) if needed.use_cache else None
        if index is None:
            index = known[needed.call] = _add_steps(needed, steps, known)
        if needed.name:
            results.append((needed.name, index))
    places = {
        "path_params": dependant.path_params,
        "query_params": dependant.query_params,
        "headers": dependant.header_params,
    }
    assert dependant.call is not None  # noqa: S101 of a route, never of a websocket
    steps.append(
        Step(
            call=dependant.call,
            results=tuple(results),
            parameters=tuple(_parameter(place, field) for place, fields in places.items() for field in fields),
            body=tuple(dependant.body_params),
            request=dependant.request_param_name,
            response=dependant.response_param_name,
        )
    )
    return len(steps) - 1


def _parameter(place: str, field: Any) -> Parameter:
    info = field.field_info
    is_plain = info.annotation in PLAIN and isinstance(info.validation_alias, str | None)
    is_constant = type(info.default) in PLAIN_DEFAULTS and info.default_factory is None and not info.validate_default
    return Parameter(place, field, field.validation_alias or field.alias, is_plain and is_constant)
