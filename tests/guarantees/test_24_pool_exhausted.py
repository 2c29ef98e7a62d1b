"""When all connections are busy, requests are refused in bounded time (503, try again), and all goes on afterwards."""

import asyncio
import time

import httpx

from tests.guarantees.harness import ALL, World
from tests.guarantees.plan import Plan
from tests.guarantees.program import ANSWER_SECONDS
from tests.guarantees.proof import prove

CONNECTIONS = 4
REQUESTS = 60
SECONDS = 3.0
SLACK_SECONDS = 5.0


async def test_requests_are_refused_in_time_and_served_again(our_world: World, plan: Plan) -> None:
    """Somebody holds the heads of the shards: appends wait for him, and everything else for a connection."""
    settings = {"PORTICO_DATABASE_CONNECTIONS": str(CONNECTIONS), ANSWER_SECONDS: str(SECONDS)}
    service = await our_world.start(ALL, **settings).ready()
    refused = served = 0
    longest = 0.0
    limits = httpx.Limits(max_connections=REQUESTS)
    async with httpx.AsyncClient(base_url=service.url, timeout=30, limits=limits) as client:

        async def increase(number: int) -> int:
            nonlocal longest
            started = time.monotonic()
            answer = await client.post(f"/counters/{number}")
            longest = max(longest, time.monotonic() - started)
            assert answer.status_code in {200, 503}, answer.text
            if answer.status_code == 503:
                assert answer.json()["code"] == "unavailable"
                assert int(answer.headers["retry-after"]) > 0
            return answer.status_code

        for _ in plan.rounds():
            with our_world.connect() as holder:
                with holder.transaction():
                    holder.execute("SELECT FROM heads FOR UPDATE")
                    answers = await asyncio.gather(*(increase(number) for number in range(REQUESTS)))
                    alive = await client.get("/health/live")
                    assert alive.status_code == 200
                assert answers == [503] * REQUESTS
                refused += len(answers)
            await service.ready()
            answers = await asyncio.gather(*(increase(number) for number in range(REQUESTS)))
            assert answers == [200] * REQUESTS
            served += len(answers)
    assert longest < SECONDS + SLACK_SECONDS
    proof = await prove(our_world)
    assert 2 * served <= proof.events <= 2 * (served + refused)
    plan.tell(refused=refused, longest_wait_s=longest, served_afterwards=served)
