"""The OpenAPI document of a service: valid, with its problems, and with the headers of commands."""

from openapi_spec_validator import validate

from tests.chassis.http.conftest import make_app


def test_the_openapi_document_is_valid_and_complete() -> None:
    document = make_app().openapi()
    validate(document)  # type: ignore[arg-type]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/v1/me"]["get"]["security"] == [{"bearer": []}]
    for path in document["paths"].values():
        for operation in path.values():
            schema = operation["responses"]["4XX"]["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]
    command = document["paths"]["/v1/things/{id_}"]["post"]
    assert {parameter["name"] for parameter in command["parameters"]} == {"id_", "Idempotency-Key", "If-Match"}
    assert set(command["responses"]["200"]["headers"]) == {"Portico-Position", "ETag"}
