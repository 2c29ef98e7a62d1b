"""docker-compose.yml runs what `portico up` runs: the same parts, settings, ports, versions and topics."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chassis.provision import role_of
from chassis.settings import Settings
from cli.main import COMMANDS
from cli.stack import gateway, jars, kafka, postgres, services
from cli.stack.ports import DEFAULTS, SERVICES
from cli.stack.programs import Program
from cli.stack.state import Secrets, State
from gateway.settings import GatewaySettings
from tests.deploy.compose import ROOT, compose, environment

PARTS = compose()["services"]
OTHERS = {"postgres", "kafka", "mailbox"}
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OF_ONE_NODE_ONLY = {"listener.security.protocol.map"}
OF_ONE_MACHINE_ONLY = {"listen_addresses", "unix_socket_directories"}


def programs() -> dict[str, Program]:
    """What `portico up` starts for each service."""
    secrets = Secrets(
        postgres="p", master_key=MASTER_KEY, services=dict.fromkeys(SERVICES, "p"), gateway_key=MASTER_KEY
    )
    shared = services.shared_environment(
        State(Path("unused")), "127.0.0.1:9094", "smtp://127.0.0.1:1025", DEFAULTS, secrets
    )
    admin_url = "postgresql://portico:p@127.0.0.1:5433/portico"
    return {one.name: one for one in services.programs(State(Path("unused")), secrets, admin_url, shared, DEFAULTS)}


def test_the_same_parts_run() -> None:
    assert set(programs()) == set(SERVICES)
    assert set(PARTS) == {*programs(), *OTHERS, "migrate", "front", "gateway"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_the_same_command_with_the_same_settings(service: str) -> None:
    program = programs()[service]
    image = (ROOT / "deploy/Dockerfile").read_text()
    assert program.command[1:3] == ("-m", "cli.main")
    assert "exec python -m cli.main" in image
    assert 'ENTRYPOINT ["portico"]' in image
    assert tuple(PARTS[service]["command"]) == program.command[3:]
    assert set(environment(service)) == set(program.environment)
    same = {"PORTICO_PORT", "PORTICO_DEVELOPMENT"}
    assert {environment(service)[name] for name in same} == {program.environment[name] for name in same}


def test_the_one_address_leads_to_every_service() -> None:
    program = services.front(State(Path("unused")), DEFAULTS)
    given = environment("front")
    assert tuple(PARTS["front"]["command"]) == program.command[3:]
    assert set(given) == set(program.environment)
    assert given["PORTICO_PORT"] == program.environment["PORTICO_PORT"]
    for service in SERVICES:
        assert given[f"PORTICO_{service.upper()}_URL"] == f"http://{service}:{DEFAULTS[service]}"


def test_the_gateway_runs_the_same_command_with_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Secrets("p", MASTER_KEY, {}, MASTER_KEY)
    program = gateway.program(
        State(Path("unused")), DEFAULTS, made, gateway.GatewayMachine("id", "secret"), "http://127.0.0.1:8025"
    )
    given = environment("gateway")
    assert tuple(PARTS["gateway"]["command"]) == program.command[3:]
    assert set(given) == set(program.environment)
    same = {"PORTICO_PORT", "PORTICO_STAFF_URL", "PORTICO_MAILBOX_URL", "PORTICO_DEVELOPMENT"}
    assert {given[name] for name in same} == {program.environment[name] for name in same}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert GatewaySettings().api_url == f"http://front:{DEFAULTS['front']}/api"


def test_uploaded_files_are_kept() -> None:
    place = urlsplit(environment("journeys")["PORTICO_OBJECTS_URL"])
    assert place.scheme == "file"
    assert f"objects:{place.path}" in PARTS["journeys"]["volumes"]
    assert f"install -d -o portico -m 700 {place.path}" in (ROOT / "deploy/Dockerfile").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_of_a_service_load_and_name_parts_that_exist(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(environment(service), monkeypatch)
    database = urlsplit(settings.database_url.get_secret_value())
    assert (database.username, database.hostname, database.path) == (role_of(service), "postgres", "/portico")
    assert settings.kafka_servers.partition(":")[0] in PARTS
    assert urlsplit(settings.smtp_url.get_secret_value()).hostname in PARTS
    assert urlsplit(settings.identity_url).hostname in SERVICES
    assert urlsplit(settings.identity_url).port == DEFAULTS["identity"]


@pytest.mark.parametrize("service", SERVICES)
def test_logs_and_topics_get_the_same_shape(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both make their topics by chassis.provision, so what is left to differ are these settings."""
    theirs = load(dict(programs()[service].environment), monkeypatch)
    ours = load(environment(service), monkeypatch)
    migrated = load(environment("migrate"), monkeypatch)
    shapes = {(one.topic_prefix, one.shards, one.topic_replicas) for one in (theirs, ours, migrated)}
    assert len(shapes) == 1


def test_migrate_makes_the_roles_that_the_services_log_in_with() -> None:
    given = {f"PORTICO_{service.upper()}_PASSWORD": f"secret{number}" for number, service in enumerate(SERVICES)}
    assert PARTS["migrate"]["command"] == ["migrate"]
    assert "migrate" in COMMANDS
    assert given.items() <= environment("migrate", given).items()
    for service in SERVICES:
        url = urlsplit(environment(service, given)["PORTICO_DATABASE_URL"])
        assert url.password == given[f"PORTICO_{service.upper()}_PASSWORD"]


def test_parts_listen_on_the_same_ports_and_only_for_this_machine() -> None:
    published = {name: [port.split(":") for port in part.get("ports", ())] for name, part in PARTS.items()}
    assert {address for ports in published.values() for address, _, _ in ports} == {"127.0.0.1"}
    numbers = {name: {int(outer) for _, outer, _ in ports} for name, ports in published.items() if ports}
    assert numbers == {
        **{name: {DEFAULTS[name]} for name in (*SERVICES, "front", "gateway", "postgres", "kafka")},
        "mailbox": {DEFAULTS["mailbox"], DEFAULTS["smtp"]},
    }


def test_kafka_has_the_same_version_and_settings() -> None:
    version = next(jar.version for jar in jars.locked_jars() if jar.name == "org.apache.kafka:kafka_2.13")
    assert PARTS["kafka"]["image"] == f"apache/kafka:{version}"
    given = environment("kafka")
    for name, value in kafka.SETTINGS.items():
        if name not in OF_ONE_NODE_ONLY:
            assert given.get(f"KAFKA_{name.upper().replace('.', '_')}") == value, name


def test_postgres_has_the_same_version_and_settings() -> None:
    major = re.search(r"pginstall(\d+)", str(postgres.binaries()))
    assert major
    assert PARTS["postgres"]["image"].startswith(f"postgres:{major[1]}.")
    given = dict(option.removeprefix("-c").split("=") for option in PARTS["postgres"]["command"][1:])
    assert given == {name: value for name, value in postgres.SETTINGS.items() if name not in OF_ONE_MACHINE_ONLY}
    assert environment("postgres")["POSTGRES_USER"] == postgres.ADMIN


def test_parts_start_when_what_they_need_is_ready() -> None:
    for name, part in PARTS.items():
        assert "healthcheck" in part or name == "migrate"
        for needed, how in part.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in PARTS[needed], (name, needed)
    for service in SERVICES:
        assert PARTS[service]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert "/health/ready" in PARTS[service]["healthcheck"]["test"][-1]


def test_images_are_pinned_and_volumes_declared() -> None:
    volumes = compose()["volumes"]
    for name, part in PARTS.items():
        assert part["image"] == "portico" or re.search(r":v?\d+\.\d+", part["image"]), name
        assert {volume.partition(":")[0] for volume in part.get("volumes", ())} <= set(volumes)


def test_no_secret_is_fixed() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    secrets = re.findall(r"^ +(?:\w*PASSWORD|PORTICO_MASTER_KEY): (.+)$", text, re.MULTILINE)
    assert len(secrets) == len(SERVICES) + 2
    assert all(re.fullmatch(r"\$\{\w+:-.+}", secret) for secret in secrets)
    assert "WARNING" in text.partition("services:")[0]


def load(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    with monkeypatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(f"PORTICO_{name.upper()}", raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        return Settings(**_nothing())


def _nothing() -> dict[str, Any]:
    """Everything comes from the environment, which mypy cannot know."""
    return {}
