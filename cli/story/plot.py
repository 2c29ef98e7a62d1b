"""The story of an instalment, step by step; each step is verified before the next one begins.

A utility's ERP sends a plan and billing events; a customer tries and then changes her instalment; the ERP confirms; a
second change is refused by the ERP. It takes a contract that no plan was sent for yet, so it can be played again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.texts import ZONE, format_fact
from cli.story.account import Lines
from cli.story.erp import Heard
from cli.story.papers import Papers, find_row, one_row_file
from cli.story.stage import Actor, Stage, StoryFailed, expect, until
from cli.story.utility import PORTAL, bring_in, configure, documents, text

CUSTOMER = "K-1001"
CONTRACT = "V-1001"
MOST_CONTRACTS = 500
REASON = "Nach Ihrem letzten Zählerstand reicht dieser Abschlag nicht aus."


@dataclass(frozen=True)
class Cast:
    """Those who act, and the contract that it is about.

    `rules` is where the portal's configuration stands, `mails` are the mails that were there before.
    """

    customer: Actor
    staff: Actor
    contact_id: str
    address: str
    contract_id: str
    rules: str
    papers: Papers
    mails: frozenset[str]

    @property
    def page(self) -> str:
        return f"/contracts/{self.contract_id}"


async def play(stage: Stage) -> None:
    """Plays the whole story; raises StoryFailed at the first step that does not go as it must."""
    cast = await prepare(stage)
    billed = await erp_sends_plan_and_bills(stage, cast)
    lower = await customer_meets_the_limits(stage, cast, billed)
    first = await customer_changes(stage, cast, lower, "A change inside the limits")
    await erp_confirms(stage, cast, first)
    lowest = lower - 1_000
    await utility_allows_more(stage, cast, lowest)
    second = await customer_changes(stage, cast, lowest, "A second change")
    await erp_refuses(stage, cast, second)
    await every_mail_came_once(stage, cast)


async def prepare(stage: Stage) -> Cast:
    """Portal, contacts and contracts as in demo/lindenau, over the public APIs."""
    stage.account.chapter("Stadtwerke Lindenau configures its portal and imports its customers")
    operator = await stage.actor("operator", "operator")
    staff = await stage.actor("staff", "staff")
    rules = await configure(stage, operator)
    contacts, contracts = text("contacts.csv"), text("contracts.csv")
    imported = await bring_in(stage, operator, "contact", contacts)
    number, contract_id = await _untouched_contract(stage, operator, staff, contracts)
    row = find_row(contacts, "customer_number", CUSTOMER)
    name, contact_id = f"{row['first_name']} {row['last_name']}", imported.ids[CUSTOMER]
    customer = await stage.actor(name, "customer", row["language"], contact_id=contact_id, portal_id=PORTAL)
    me = await stage.read(customer, "portal", "/me", imported.position)
    expect("the portal to greet", f"{me['contact']['first_name']} {me['contact']['last_name']}", name)
    stage.account.checked(f"{name} is signed in; it is about her contract {number}")
    mails = frozenset(mail["id"] for mail in await stage.mails_to(row["email"]))
    papers = Papers.of(number, datetime.now(ZONE).date())
    return Cast(customer, staff, contact_id, row["email"], contract_id, rules, papers, mails)


async def erp_sends_plan_and_bills(stage: Stage, cast: Cast) -> Heard:
    """Over the ERP's topic; the page shows plan and balance, what is overdue first. Returns the last event."""
    stage.account.chapter("The ERP sends an instalment plan and billing events")
    papers = cast.papers
    await stage.sends("portico.erp.InstalmentPlan.v1", papers.contract, papers.plan())
    for bill in papers.billing_events():
        await stage.sends("portico.erp.BillingEvent.v1", papers.contract, bill)
    plan = await stage.hears("portico.billing.InstalmentPlanSet.v1", contract_id=cast.contract_id)
    dunning = papers.dunning_fee()
    late = await stage.hears("portico.billing.BillingEventRecorded.v1", external_id=dunning["external_id"])
    page = await _page(stage, cast, "Her contract", plan, late)
    expect("the plan's amount on the page", page["instalments"]["plan"]["amount_cents"], papers.plan()["amount_cents"])
    expect("the overdue sum on the page", page["balance"]["overdue_cents"], dunning["amount_cents"])

    async def all_bills() -> list[dict[str, Any]] | None:
        found = await stage.read(cast.customer, "portal", f"{cast.page}/billing-events?limit=5", late.id)
        bills: list[dict[str, Any]] = found["items"]
        return bills if len(bills) == len(papers.billing_events()) else None

    bills = await until("all billing events on the page", all_bills)
    first = bills[0]["external_id"], bills[0]["overdue"]
    expect("the first billing event", first, (dunning["external_id"], True))
    shown = [(bill["due_on"], _bill(bill)) for bill in bills]
    stage.account.page("Her billing events", f"{cast.page}/billing-events", shown)
    stage.account.checked("The page shows the plan and all billing events, the overdue one first")
    return late


async def customer_meets_the_limits(stage: Stage, cast: Cast, billed: Heard) -> int:
    """Refused while something is overdue, and below the lower limit. Returns an amount that is allowed."""
    stage.account.chapter(f"{cast.customer.name} tries what the rules do not allow")
    papers = cast.papers
    amount = papers.plan()["amount_cents"]
    await _preview(stage, cast, f"{cast.rules}, {billed.id}", "payment_overdue")
    await _refused(stage, cast, amount - 1_000, "payment_overdue")
    stage.account.remark("She pays, and the ERP says so: the same billing event again, now closed.")
    paid = papers.dunning_fee(paid_on=papers.today)
    await stage.sends("portico.erp.BillingEvent.v1", papers.contract, paid)
    recorded = "portico.billing.BillingEventRecorded.v1"
    heard = await stage.hears(recorded, external_id=paid["external_id"], status="closed")
    preview = await _preview(stage, cast, heard.id, None)
    lower_limit: int = preview["lower_limit_cents"]
    answer = await _refused(stage, cast, lower_limit - 600, "below_lower_limit")
    expect("the limit in the refusal", answer.get("lower_limit_cents"), lower_limit)
    stage.account.checked("Both were refused with a code for programs and a sentence for her")
    between: int = (lower_limit + amount) // 200 * 100
    return between


async def customer_changes(stage: Stage, cast: Cast, amount_cents: int, title: str) -> Heard:
    """A change inside the limits: on the topic, on the page beside the live value, and in a mail."""
    stage.account.chapter(f"{title}: {_money(amount_cents)}")
    before = (await stage.read(cast.customer, "portal", cast.page))["instalments"]["plan"]
    answer = await stage.ask(
        cast.customer,
        "POST",
        "billing",
        f"{cast.page}/instalment-changes",
        status=202,
        body={"amount_cents": amount_cents},
        shown=lambda body: [("change", body["change_id"]), ("effective from", body["effective_from"])],
    )
    position = answer.headers["Portico-Position"]
    page = await _page(stage, cast, "Her contract, read with this Portico-Position", position)
    expect("the amount in force", page["instalments"]["plan"], before)
    expect("the requested amount", (page["instalments"]["pending"] or {}).get("amount_cents"), amount_cents)
    stage.account.checked("The page shows the change as requested beside the amount in force")
    stage.account.remark("The ERP hears it on the topic, with nothing but Kafka and JSON:")
    heard = await stage.hears("portico.billing.InstalmentChanged.v1", change_id=answer.json()["change_id"])
    expect("the event's id", heard.id, position)
    await _mail(stage, cast, heard)
    return heard


async def erp_confirms(stage: Stage, cast: Cast, change: Heard) -> None:
    """The page shows the new amount and the schedule that the ERP sent."""
    stage.account.chapter("The ERP confirms, with the schedule that follows")
    schedule = cast.papers.schedule(
        change.data["amount_cents"], datetime.fromisoformat(change.data["effective_from"]).date()
    )
    decision = {"change_id": change.data["change_id"], "decision": "confirmed", "schedule": schedule}
    await stage.sends("portico.erp.InstalmentDecision.v1", cast.papers.contract, decision)
    heard = await stage.hears("portico.billing.InstalmentConfirmed.v1", change_id=change.data["change_id"])
    instalments = (await _page(stage, cast, "Her contract", heard))["instalments"]
    expect("the amount in force", instalments["plan"]["amount_cents"], change.data["amount_cents"])
    expect("the schedule", instalments["plan"]["schedule"], schedule)
    expect("the pending change", instalments["pending"], None)
    expect("the last decision", instalments["last_decision"]["status"], "confirmed")
    stage.account.checked("The page shows the change as confirmed, and the new schedule")
    await _mail(stage, cast, heard)


async def utility_allows_more(stage: Stage, cast: Cast, amount_cents: int) -> None:
    """A second change on the same day is too early; the utility lifts that rule, and it holds at once."""
    stage.account.chapter("A second change comes too early, until the utility lifts the rule")
    await _refused(stage, cast, amount_cents, "changed_too_recently")
    rules = next(each.content["instalments"] for each in documents() if each.name == f"portal {PORTAL}")
    answer = await stage.ask(
        cast.staff, "PUT", "portal", f"/portals/{PORTAL}/instalments", body={**rules, "once_per_days": None}
    )
    position = answer.headers["Portico-Position"]
    await _preview(stage, cast, position, None, amount_cents)


async def erp_refuses(stage: Stage, cast: Cast, change: Heard) -> None:
    """The page shows the old amount and the reason, and a mail says so."""
    stage.account.chapter("This time the ERP refuses, with a reason")
    before = (await stage.read(cast.customer, "portal", cast.page))["instalments"]["plan"]
    decision = {"change_id": change.data["change_id"], "decision": "refused", "reason": REASON}
    await stage.sends("portico.erp.InstalmentDecision.v1", cast.papers.contract, decision)
    heard = await stage.hears("portico.billing.InstalmentRefused.v1", change_id=change.data["change_id"])
    instalments = (await _page(stage, cast, "Her contract", heard))["instalments"]
    expect("the amount in force", instalments["plan"], before)
    expect("the pending change", instalments["pending"], None)
    decided = instalments["last_decision"]
    expect("the last decision", (decided["status"], decided["reason"]), ("refused", REASON))
    stage.account.checked("The page shows the old amount and the reason")
    await _mail(stage, cast, heard)


async def every_mail_came_once(stage: Stage, cast: Cast) -> None:
    """Two requests and two decisions make four mails, no matter how often an event was delivered."""
    if not stage.place.mailbox_url:
        return
    new = [mail["subject"] for mail in await stage.mails_to(cast.address) if mail["id"] not in cast.mails]
    expect("the number of mails to her", len(new), 4)
    stage.account.checked("Four events, four mails: each was sent once")


async def _untouched_contract(stage: Stage, operator: Actor, staff: Actor, contracts: str) -> tuple[str, str]:
    """Number and id of a contract without a plan: V-1001 the first time, then V-1001-2 and so on."""
    imported = await bring_in(stage, operator, "contract", contracts)
    number = CONTRACT
    for count in range(2, MOST_CONTRACTS):
        page = await stage.read(staff, "portal", f"/contracts/{imported.ids[number]}", imported.position)
        if page["instalments"]["plan"] is None:
            return number, imported.ids[number]
        number = f"{CONTRACT}-{count}"
        row = find_row(contracts, "number", CONTRACT) | {"number": number}
        imported = await bring_in(stage, operator, "contract", one_row_file(row))
    raise StoryFailed("a contract without a plan", f"{MOST_CONTRACTS} that have one; begin anew: portico up --fresh")


async def _page(stage: Stage, cast: Cast, title: str, *reached: Heard | str) -> Any:
    """Reads the contract's page as the customer, up to these events at least, and tells what it shows."""
    position = ", ".join(event if isinstance(event, str) else event.id for event in reached)
    page = await stage.read(cast.customer, "portal", cast.page, position)
    url = f"{stage.place.services['portal']}{cast.page}"
    stage.account.page(title, url, _shown(page))
    return page


async def _refused(stage: Stage, cast: Cast, amount_cents: int, code: str) -> Any:
    """Asks for an amount and must be refused with this code."""
    answer = await stage.ask(
        cast.customer,
        "POST",
        "billing",
        f"{cast.page}/instalment-changes",
        status=409,
        body={"amount_cents": amount_cents},
        shown=lambda problem: [("code", problem["code"]), ("detail", problem["detail"])],
    )
    expect("the code of the refusal", answer.json()["code"], code)
    return answer.json()


async def _preview(
    stage: Stage, cast: Cast, position: str, refused_as: str | None, amount_cents: int | None = None
) -> Any:
    """What a change would meet, asked behind a position: it must be allowed, or refused with this code."""
    amount = "" if amount_cents is None else f"?amount_cents={amount_cents}"
    path = f"{cast.page}/instalment-preview{amount}"
    answer = await stage.ask(cast.customer, "GET", "billing", path, position=position, shown=_limits)
    refusal = answer.json()["refusal"]
    expect("what refuses a change in the preview", refusal and refusal["code"], refused_as)
    return answer.json()


async def _mail(stage: Stage, cast: Cast, cause: Heard) -> None:
    """The mail of an event: sent once by the delivery log, and in the mailbox."""

    async def sent() -> Any:
        log = await stage.read(cast.staff, "notifications", f"/messages?limit=50&contact_id={cast.contact_id}")
        found = [message for message in log["items"] if message["cause"] == cause.id]
        return found[0] if found and found[0]["state"] == "sent" else None

    message = await until(f"a mail because of {cause.id}", sent)
    history = (await stage.read(cast.staff, "notifications", f"/messages/{message['id']}"))["history"]
    subject = next(entry["subject"] for entry in reversed(history) if entry["what"] == "sent")
    mails = await stage.mails_to(cast.address)
    arrived = [mail for mail in mails if mail["id"] not in cast.mails and mail["subject"] == subject]
    if stage.place.mailbox_url:
        expect(f"mails with the subject {subject!r}", len(arrived), 1)
    stage.account.mail(cast.address, subject, arrived[0]["link"] if arrived else "")


def _shown(page: Any) -> Lines:
    """What a customer's page tells, as labels and values."""
    instalments, balance = page["instalments"], page["balance"]
    plan, pending, decided = instalments["plan"], instalments["pending"], instalments["last_decision"]
    lines = [("contract", f"{page['contract']['number']}  {page['contract']['product']}")]
    lines += [("balance", f"{_money(balance['amount_cents'])}, of it overdue {_money(balance['overdue_cents'])}")]
    if plan:
        lines += [("instalment", f"{_money(plan['amount_cents'])} from {plan['valid_from']}")]
        dues = [f"{item['due_on']} {_money(item['amount_cents'])}" for item in plan["schedule"][:3]]
        lines += [("schedule", f"{', '.join(dues)} … ({len(plan['schedule'])} in all)")]
    if pending:
        lines += [("requested", f"{_money(pending['amount_cents'])} from {pending['effective_from']}")]
    if decided:
        reason = f": {decided['reason']}" if decided["reason"] else ""
        lines += [("last decision", f"{_money(decided['amount_cents'])} {decided['status']}{reason}")]
    return lines


def _limits(preview: Any) -> Lines:
    upper = preview["upper_limit_cents"]
    limits = f"from {_money(preview['lower_limit_cents'])}" + (f" to {_money(upper)}" if upper is not None else "")
    refusal = preview["refusal"]
    return [
        ("limits", limits),
        ("effective from", str(preview["effective_from"])),
        ("allowed now", "yes" if refusal is None else f"no: {refusal['detail']}"),
    ]


def _bill(bill: Any) -> str:
    sign = "-" if bill["direction"] == "credit" else ""
    mark = "  OVERDUE" if bill["overdue"] else ""
    return f"{sign}{_money(bill['amount_cents'])}  {bill['kind']}  {bill['status']}{mark}"


def _money(cents: int) -> str:
    return format_fact("amount_cents", cents, "en", {"currency": "EUR"})
