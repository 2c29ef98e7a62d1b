"""The story of three people who register: one is known, one is to say who he is, one waits for staff."""

from __future__ import annotations

from dataclasses import dataclass

from cli.story.papers import find_row, one_row_file
from cli.story.people import Portal, Visitor
from cli.story.stage import Actor, Stage, StoryFailed, expect, until
from cli.story.utility import PORTAL, bring_in, bring_in_installers, configure, text

ANNA, BEN, BENS_OTHER = "K-1001", "K-1002", "K-1003"
CONTRACT = "V-1001"
PRODUCT = "Strom Öko+"
CLEO = ("Cleo Baum", "cleo.baum@example.org")
MOST_TIMES = 200


@dataclass(frozen=True)
class Scene:
    """Who acts, and which of Anna's contracts it is about. Played again, there are others of the same names."""

    portal: Portal
    operator: Actor
    staff: Actor
    anna: Visitor
    ben: Visitor
    cleo: Visitor
    numbers: dict[str, str]
    ids: dict[str, str]
    position: str
    mails: dict[str, frozenset[str]]

    @property
    def contract_id(self) -> str:
        return self.ids[self.numbers[CONTRACT]]


async def prepare(stage: Stage) -> Scene:
    """Configuration and customers of demo/lindenau over the public APIs."""
    stage.account.chapter("Stadtwerke Lindenau opens its portal to customers")
    operator, staff = await stage.actor("operator", "operator"), await stage.actor("staff", "staff")
    portal = Portal(stage, await stage.actor("gateway", "gateway"))
    configured = await configure(stage, operator)
    contacts, contracts = text("contacts.csv"), text("contracts.csv")
    suffix = await _next_suffix(stage, staff, _visitor(contacts, ANNA, "").email, configured)
    anna, ben, cleo = (
        _visitor(contacts, ANNA, suffix),
        _visitor(contacts, BEN, suffix),
        Visitor(CLEO[0], _tagged(CLEO[1], suffix), already_customer=False),
    )
    numbers = {number: f"{number}{suffix}" for number in (ANNA, BEN, BENS_OTHER)} | {CONTRACT: f"{CONTRACT}{suffix}"}
    if suffix:
        numbers[CONTRACT] = f"V-2001{suffix}"
        contacts = "".join(
            _again(contacts, number, suffix, place == 0) for place, number in enumerate((ANNA, BEN, BENS_OTHER))
        )
        row = find_row(contracts, "number", CONTRACT) | {"number": numbers[CONTRACT], "holder": numbers[ANNA]}
        contracts = one_row_file(row)
    imported = await bring_in(stage, operator, "contact", contacts)
    await bring_in_installers(stage, operator)
    under = await bring_in(stage, operator, "contract", contracts, imported.position)
    mails = {
        each.email: frozenset(mail["id"] for mail in await stage.mails_to(each.email)) for each in (anna, ben, cleo)
    }
    ids = {**imported.ids, **under.ids}
    position = f"{configured}, {imported.position}, {under.position}"
    return Scene(portal, operator, staff, anna, ben, cleo, numbers, ids, position, mails)


async def known_customer_registers(stage: Stage, scene: Scene) -> Actor:
    """Her address is that of exactly one contact: she is assigned, and comes in once the mailbox is proven."""
    stage.account.chapter(f"{scene.anna.name} registers: her address is that of one contact")
    anna = scene.anna
    await scene.portal.register(anna)
    registered = await stage.hears("portico.identity.UserRegistered.v1", portal_id=PORTAL, already_customer=True)
    expect("her address in the event", "sealed" in registered.data["email"], True)
    stage.account.remark("Nobody signs in before the link of the mail is confirmed.")
    refused = await scene.portal.ask(
        anna, f"/portals/{PORTAL}/sessions", {"email": anna.email, "password": anna.password}, 401, ["code"]
    )
    await scene.portal.activate(anna, scene.mails[anna.email])
    signed_in = await scene.portal.sign_in(anna, "ready")
    actor, contact_id = await scene.portal.actor(anna, signed_in["session"])
    expect("whose records she sees", contact_id, scene.ids[scene.numbers[ANNA]])
    stage.account.checked(f"{anna.name} was refused with {refused['code']}, confirmed by a button, and is signed in")
    return actor


async def ambiguous_customer_identifies(stage: Stage, scene: Scene) -> Actor:
    """His address is that of two contacts: his customer number says which he is."""
    stage.account.chapter(f"{scene.ben.name} registers: two contacts have his address")
    ben = scene.ben
    await scene.portal.register(ben)
    await scene.portal.activate(ben, scene.mails[ben.email])
    signed_in = await scene.portal.sign_in(ben, "identify")
    expect("what he is asked for", [each["path"] for each in signed_in["ask"]], ["contact.customer_number"])
    session = signed_in["session"]
    for number, status in (("K-0000", "identify"), (scene.numbers[BEN], "ready")):
        answers = {"session": session, "answers": {"contact.customer_number": number}}
        stands = await scene.portal.ask(ben, "/identifications", answers, 200, ["status", "tries_left"])
        expect(f"how far he has come with {number}", stands["status"], status)
    actor, contact_id = await scene.portal.actor(ben, session)
    expect("whose records he sees", contact_id, scene.ids[scene.numbers[BEN]])
    stage.account.checked("A wrong number was refused, the right one made him the contact that it names")
    return actor


async def unknown_person_waits(stage: Stage, scene: Scene) -> Actor:
    """Nobody has her address: she waits until staff make a contact out of her row."""
    stage.account.chapter(f"{scene.cleo.name} registers: nobody knows her")
    cleo = scene.cleo
    await scene.portal.register(cleo)
    stands = await scene.portal.activate(cleo, scene.mails[cleo.email])
    expect("how far she has come", stands["status"], "waiting")
    stage.account.remark("Staff find her in the table of portal users and make a contact of the row.")

    async def listed() -> str | None:
        table = await stage.read(scene.staff, "identity", f"/users?portal_id={PORTAL}&search={_quoted(cleo.email)}")
        return table["items"][0]["user_id"] if table["items"] else None

    user_id = await until(f"{cleo.name} in the table of portal users", listed)
    values = {"last_name": cleo.name.split()[-1], "first_name": cleo.name.split()[0]}
    made = await stage.ask(
        scene.staff,
        "POST",
        "identity",
        f"/users/{user_id}/contact",
        status=201,
        body={"values": values},
        shown=lambda body: [("customer number", body["customer_number"])],
    )
    session = (await scene.portal.sign_in(cleo, "ready"))["session"]
    actor, contact_id = await scene.portal.actor(cleo, session)
    expect("whose records she sees", contact_id, made.json()["contact_id"])

    async def known() -> str | None:
        me = await stage.read(actor, "portal", "/me")
        return me["contact"]["customer_number"] if me["contact"] else None

    number = await until("her record", known)
    expect("her customer number", number, made.json()["customer_number"])
    stage.account.page("Who she is", "/me", [("customer number", number)])
    stage.account.checked("She waited, staff made a contact of her, and now she is signed in")
    return actor


async def _next_suffix(stage: Stage, staff: Actor, address: str, position: str) -> str:
    """Empty the first time, then -2 and so on: whoever registered once has an account for ever."""
    for count in range(1, MOST_TIMES):
        suffix = f"-{count}" if count > 1 else ""
        search = _quoted(_tagged(address, suffix))
        table = await stage.read(staff, "identity", f"/users?portal_id={PORTAL}&search={search}", position)
        if not table["items"]:
            return suffix
    raise StoryFailed("an address that nobody has registered with", f"{MOST_TIMES}; begin anew: portico up --fresh")


def _visitor(contacts: str, number: str, suffix: str) -> Visitor:
    row = find_row(contacts, "customer_number", number)
    name = f"{row['first_name']} {row['last_name']}"
    return Visitor(name, _tagged(row["email"], suffix), already_customer=True, language=row["language"])


def _again(contacts: str, number: str, suffix: str, heading: bool) -> str:
    row = find_row(contacts, "customer_number", number)
    row |= {"customer_number": f"{number}{suffix}", "email": _tagged(row["email"], suffix)}
    file = one_row_file(row)
    return file if heading else file.partition("\n")[2]


def _tagged(address: str, suffix: str) -> str:
    """anna@example.org, then anna-2@example.org."""
    name, _, domain = address.partition("@")
    return f"{name}{suffix}@{domain}"


def _quoted(text_: str) -> str:
    return text_.replace("+", "%2B").replace("@", "%40")
