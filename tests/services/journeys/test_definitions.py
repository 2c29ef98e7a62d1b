"""Documents of journeys over HTTP: looked at, published, in versions, withdrawn, and as the form that is asked."""

from tests.services.journeys.conftest import World
from tests.services.journeys.documents import document


async def test_a_document_can_be_looked_at_before_it_is_published(world: World) -> None:
    body = document("contact_us") | {"journey": "tried", "submit": {"de": "Senden", "en": "Send"}}
    form = (await world.client.post("/journeys/tried/form", json=body, headers=world.staff)).json()
    assert (form["version"], form["submit"]["en"], len(form["steps"])) == (0, "Send", 3)
    assert (await world.client.get("/journeys/tried", headers=world.staff)).status_code == 404
    wrong = await world.client.post("/journeys/tried/form", json=body | {"steps": []}, headers=world.staff)
    assert (wrong.status_code, wrong.json()["mistakes"][0]["path"]) == (422, "steps")
    assert (await world.client.post("/journeys/tried/form", json=body, headers=world.gateway())).status_code == 403


async def test_documents_come_back_as_they_were_written(world: World) -> None:
    body = document("cancellation")
    answer = await world.client.get("/journeys/cancellation", headers=world.staff)
    assert answer.json() == body
    assert list(answer.json()["steps"][0]["fields"]) == list(body["steps"][0]["fields"])
    again = await world.publish("cancellation")
    assert (again.headers["ETag"], again.json()) == (answer.headers["ETag"], body)
    listed = await world.client.get("/journeys", headers=world.staff)
    assert body in listed.json()["items"]
    versions = await world.client.get("/journeys/cancellation/versions", headers=world.staff)
    assert [(each["version"], each["published_by"]) for each in versions.json()] == [(1, "staff/sam")]
    for headers in (world.customer("c"), world.gateway()):
        assert (await world.client.get("/journeys/cancellation", headers=headers)).status_code == 403
        assert (await world.client.put("/journeys/cancellation", json=body, headers=headers)).status_code == 403


async def test_a_document_with_mistakes_is_not_published(world: World) -> None:
    body = document("cancellation") | {"journey": "wrong"}
    body["steps"][0]["fields"]["reason"]["when"] = [{"answers.moving_on": {"exists": True}}]
    refused = await world.client.put(
        "/journeys/wrong", json=body, headers={**world.staff, "Accept-Language": "de-DE,de;q=0.9"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    assert refused.json()["mistakes"] == [
        {
            "path": "steps.0.fields.reason.when",
            "detail": "die Bedingungen hängen im Kreis voneinander ab: reason → moving_on → reason",
        }
    ]
    assert (await world.client.get("/journeys/wrong", headers=world.staff)).status_code == 404


async def test_versions_stay_readable_and_a_withdrawn_journey_comes_back_as_a_new_one(world: World) -> None:
    body = document("upload_proof") | {"journey": "again"}
    await world.publish(body)
    await world.publish(body | {"title": {"de": "Neu", "en": "New"}})
    assert (await world.client.delete("/journeys/again", headers=world.staff)).status_code == 204
    assert (await world.client.get("/journeys/again", headers=world.staff)).status_code == 404
    old = await world.client.get("/journeys/again", params={"version": 1}, headers=world.staff)
    assert old.json() == body
    await world.publish(body)
    versions = await world.client.get("/journeys/again/versions", headers=world.staff)
    assert [each["version"] for each in versions.json()] == [3, 2, 1]


async def test_a_form_is_shown_with_json_schema(world: World) -> None:
    form = (await world.client.get("/journeys/contact_us/form", headers=world.gateway())).json()
    assert (form["version"], form["access"]) == (1, "public")
    who, what, reading = form["steps"]
    assert who["schema"]["required"] == ["name", "email"]
    assert who["ui"][3]["when"] == [{"answers.customer": {"is": True}}]
    assert what["ui"][0]["options"][0] == {"value": "bill", "label": {"de": "Rechnung", "en": "Bill"}}
    assert reading["schema"]["properties"]["reading"]["maximum"] == 9999999
    assert [(each["field"], each["type"]) for each in reading["ui"]] == [("reading", "integer"), ("meter", "text")]
