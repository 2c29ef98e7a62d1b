"""FastAPI with nothing around it: a pydantic echo, and a constant JSON. Run by uvicorn like the services are."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(openapi_url=None)


class Change(BaseModel):
    """The same body as that of Portico's command."""

    amount_cents: int
    currency: str | None = None


PAGE: dict[str, object] = {
    "contract": {
        "id": "0b7e9a52-93f9-5bb1-8b8c-1f0f6a1f8a11",
        "number": "V-1001",
        "division": "electricity",
        "product": "Natur",
        "status": "active",
        "starts_on": None,
        "ends_on": None,
    },
    "delivery": None,
    "balance": {"currency": "EUR", "amount_cents": 0, "overdue_cents": 0},
    "instalments": {
        "plan": {
            "amount_cents": 9500,
            "currency": "EUR",
            "valid_from": "2026-08-23",
            "schedule": [{"due_on": f"2027-{month:02}-01", "amount_cents": 9500} for month in range(1, 13)],
        },
        "pending": None,
        "last_decision": None,
    },
}


@app.post("/contracts/{contract_id}/instalment-changes", status_code=202)
async def echo(contract_id: str, body: Change) -> Change:
    return body


@app.get("/constant")
async def constant() -> dict[str, object]:
    return PAGE
