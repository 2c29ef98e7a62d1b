"""How much waits for staff, at a glance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Principal, allow
from chassis.database import Pool
from chassis.http import conditional
from services.portal.processes.queries import count_for_staff
from services.portal.processes.views import PROCESSES
from services.portal.reading import UNCHANGED
from services.portal.requests.queries import count_failed
from services.portal.requests.views import REQUESTS
from services.portal.users.views import USERS, count_waiting

MOST_COUNTED = 1_000
Staff = Annotated[Principal, Depends(allow("staff", "operator"))]


class Overview(BaseModel):
    """Counts, each up to 1000."""

    model_config = ConfigDict(frozen=True)

    waiting_users: int = Field(description="Users who have confirmed their address and belong to no contact")
    open_tasks: int = Field(description="Steps of processes that wait for staff")
    failures: int = Field(description="Submissions of which an effect or a mail failed")


def router(pool: Pool, fresh: Callable[..., Any]) -> APIRouter:
    api = APIRouter(tags=["staff"], responses=UNCHANGED)

    @api.get(
        "/staff/overview",
        response_model=Overview,
        dependencies=[Depends(fresh(USERS, PROCESSES, REQUESTS))],
        summary="How much waits for staff",
    )
    async def overview(request: Request, _: Staff) -> Response:
        users, tasks, failures = await asyncio.gather(
            count_waiting(pool, MOST_COUNTED), count_for_staff(pool, MOST_COUNTED), count_failed(pool, MOST_COUNTED)
        )
        return conditional(request, Overview(waiting_users=users, open_tasks=tasks, failures=failures))

    return api
