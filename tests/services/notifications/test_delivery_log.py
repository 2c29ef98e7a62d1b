"""The delivery log over HTTP: what staff see of messages, what they send once more, and who may do so."""

from datetime import datetime, timedelta

from chassis.testing import eventually
from chassis.texts import ZONE
from contracts.notifications import MessageResendRequested, MessageSent
from tests.services.notifications.conftest import Notifications


async def test_staff_see_the_delivery_log(notifications: Notifications) -> None:
    anna, otto = await notifications.customer(), await notifications.customer()
    for contact in (anna, otto, anna):
        await notifications.change(contact)
    await notifications.mailed(anna, 2)
    await notifications.mailed(otto)
    client, staff = notifications.running.client, await notifications.headers("staff")

    async def all_sent() -> bool:
        newest = (await client.get("/messages?limit=3", headers=staff)).json()["items"]
        return [item["state"] for item in newest] == ["sent"] * 3

    await eventually(all_sent, 40)
    first = (await client.get("/messages?limit=2", headers=staff)).json()
    rest = (await client.get("/messages", params={"limit": 2, "cursor": first["next"]}, headers=staff)).json()
    assert [item["contact_id"] for item in first["items"] + rest["items"]][:3] == [anna, otto, anna]
    of_otto = (await client.get("/messages", params={"contact_id": otto}, headers=staff)).json()["items"]
    assert [(item["contact_id"], item["state"], item["language"]) for item in of_otto] == [(otto, "sent", "de")]
    failed = (await client.get("/messages", params={"status": "failed", "contact_id": otto}, headers=staff)).json()
    assert failed == {"items": [], "next": None}
    sent = datetime.fromisoformat(of_otto[0]["created_at"]).astimezone(ZONE).date()
    for narrowed, expected in (
        ({"template": of_otto[0]["template"], "portal_id": of_otto[0]["portal_id"], "recipient": "contact"}, of_otto),
        ({"since": sent.isoformat(), "until": sent.isoformat()}, of_otto),
        ({"template": "receipt"}, []),
        ({"portal_id": "nowhere"}, []),
        ({"recipient": "staff"}, []),
        ({"since": (sent + timedelta(days=1)).isoformat()}, []),
        ({"until": (sent - timedelta(days=1)).isoformat()}, []),
        ({"until": "9999-12-31"}, of_otto),
    ):
        found = await client.get("/messages", params={"contact_id": otto, **narrowed}, headers=staff)
        assert found.json()["items"] == expected
    one = (await client.get(f"/messages/{of_otto[0]['id']}", headers=staff)).json()
    assert one["history"][0]["recipient"] == f"{otto}@example.org"
    operator = await notifications.headers("operator")
    seen = (await client.get(f"/messages/{of_otto[0]['id']}", headers=operator)).json()
    assert seen["history"] == one["history"]


async def test_the_log_says_in_words_why_a_message_waits(notifications: Notifications) -> None:
    await notifications.mail.stop()
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="waiting", reason="smtp_unreachable")
    staff = await notifications.headers("staff")
    url = f"/messages/{row['id']}"
    german = (await notifications.running.client.get(url, headers={**staff, "Accept-Language": "de"})).json()
    english = (await notifications.running.client.get(url, headers={**staff, "Accept-Language": "en"})).json()
    assert german["explanation"] == "Der Mailserver ist nicht erreichbar."
    assert english["explanation"] == "The mail server cannot be reached."


async def test_staff_send_a_mail_once_more_and_once_only(notifications: Notifications) -> None:
    anna = await notifications.customer()
    await notifications.change(anna)
    (mail,) = await notifications.mailed(anna)
    row = await notifications.row(anna, state="sent")
    client, staff = notifications.running.client, await notifications.headers("staff")
    url, headers = f"/messages/{row['id']}/resend", {**staff, "Idempotency-Key": "again-1"}
    answers = [await client.post(url, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len({answer.headers["Portico-Position"] for answer in answers}) == 1
    _, again = await notifications.mailed(anna, 2)
    await notifications.row(anna, state="sent", resends=1)
    assert again["Message-ID"] != mail["Message-ID"]
    assert again["Subject"] == mail["Subject"]
    assert (await client.post(url, headers=headers)).status_code == 202
    events = await notifications.settled(anna)
    assert [type(event) for event in events] == [MessageSent, MessageResendRequested, MessageSent]
    history = (await client.get(f"/messages/{row['id']}", headers=staff)).json()["history"]
    assert [(item["what"], item["by"]) for item in history] == [
        ("sent", None),
        ("resend_requested", "staff-1"),
        ("sent", None),
    ]
    assert len(notifications.mails_to(anna)) == 2


async def test_a_resend_wakes_a_message_that_waits_and_tries_a_suppressed_address(notifications: Notifications) -> None:
    notifications.mail.recipient_reply = "550 5.1.1 no such user"
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="failed")
    notifications.mail.recipient_reply = "250 OK"
    staff = await notifications.headers("staff")
    await notifications.running.client.post(f"/messages/{row['id']}/resend", headers=staff)
    await notifications.mailed(anna)
    await notifications.row(anna, state="sent", reason=None)
    await notifications.change(anna)
    await notifications.mailed(anna, 2)


async def test_who_may_do_what(notifications: Notifications) -> None:
    anna = await notifications.customer()
    await notifications.change(anna)
    row = await notifications.row(anna, state="sent")
    client = notifications.running.client
    requests = {
        ("GET", "/messages"): {"staff", "operator"},
        ("GET", f"/messages/{row['id']}"): {"staff", "operator"},
        ("POST", f"/messages/{row['id']}/resend"): {"staff", "operator"},
        ("GET", "/templates/instalment_refused/de/preview"): {"staff", "operator"},
    }
    for (method, path), roles in requests.items():
        assert (await client.request(method, path)).status_code == 401
        for role in ("customer", "installer", "staff", "operator", "erp", "gateway"):
            answer = await client.request(method, path, headers=await notifications.headers(role))
            assert (answer.status_code in {200, 202}) is (role in roles), (method, path, role)


async def test_refusals_have_codes(notifications: Notifications) -> None:
    client, staff = notifications.running.client, await notifications.headers("staff")
    expected: dict[tuple[str, str], tuple[int, str]] = {
        ("GET", "/messages/nothing"): (404, "message_not_found"),
        ("POST", "/messages/nothing/resend"): (404, "message_not_found"),
        ("GET", "/templates/layout/de/preview"): (404, "template_not_found"),
        ("GET", "/templates/..%2F..%2Fapp/de/preview"): (404, "not_found"),
        ("GET", "/templates/instalment_refused/fr/preview"): (422, "invalid_request"),
        ("GET", "/messages?cursor=nonsense"): (422, "invalid_cursor"),
        ("GET", "/messages?status=lost"): (422, "invalid_request"),
    }
    for (method, path), answered in expected.items():
        answer = await client.request(method, path, headers=staff)
        assert (answer.status_code, answer.json()["code"]) == answered, path
