"""Anna changes her instalment with a live preview; the ERP confirms while her contract's page is open."""

from __future__ import annotations

from datetime import datetime

from babel.numbers import format_currency

from chassis.texts import LOCALES, ZONE
from cli.story.papers import Papers
from tests.gateway.story.cast import Cast

CONTRACT = "V-1001"
WISHED_CENTS = 9_000


async def changes_the_instalment(cast: Cast) -> None:
    """Too low is refused with the limit; inside the limits it is requested, and then confirmed."""
    say, seen, stage = cast.how.say, cast.of(cast.scene.anna), cast.stage
    papers = Papers.of(cast.scene.numbers[CONTRACT], datetime.now(ZONE).date())
    await stage.sends("portico.erp.InstalmentPlan.v1", papers.contract, papers.plan())
    await stage.hears("portico.billing.InstalmentPlanSet.v1", contract_id=cast.scene.contract_id)
    await seen.open(f"/contracts/{cast.scene.contract_id}")
    await seen.sees_when_opened_again(money(cast, papers.plan()["amount_cents"]))
    await seen.is_accessible()
    await seen.press(say("contract.change_instalment"))
    await seen.is_accessible()
    await seen.write(say("instalment.amount"), "10")
    await seen.press(say("instalment.submit"))
    await seen.is_accessible()
    assert f"/contracts/{cast.scene.contract_id}/instalment" in seen.page.url
    await seen.write(say("instalment.amount"), str(WISHED_CENTS // 100))
    if not cast.how.javascript:
        await seen.press(say("instalment.preview"))
    await seen.page.locator("#instalment-preview").get_by_text(money(cast, WISHED_CENTS)).first.wait_for()
    await seen.is_accessible()
    await seen.press(say("instalment.submit"))
    await seen.sees(say("contract.asked_for"))
    await seen.is_accessible()
    heard = await stage.hears("portico.billing.InstalmentChanged.v1", contract_id=cast.scene.contract_id)
    assert heard.data["amount_cents"] == WISHED_CENTS
    day = datetime.fromisoformat(heard.data["effective_from"]).date()
    decision = {
        "change_id": heard.data["change_id"],
        "decision": "confirmed",
        "schedule": papers.schedule(WISHED_CENTS, day),
    }
    await stage.sends("portico.erp.InstalmentDecision.v1", papers.contract, decision)
    await cast.appears(seen, say("contract.confirmed_title"))
    await seen.is_accessible()


def money(cast: Cast, cents: int) -> str:
    return format_currency(cents / 100, "EUR", locale=LOCALES[cast.how.language])
