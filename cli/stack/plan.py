"""What one `up` is going to run, decided before anything starts: embedded parts, real ones from outside, addresses."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape

from chassis.settings import Settings
from cli.settings import load_settings
from cli.stack import gateway, kafka, mock_kafka, postgres, services
from cli.stack.jars import Unreachable
from cli.stack.mock_kafka import MockKafka
from cli.stack.ports import HOST, SERVICES, refuse_taken
from cli.stack.programs import Program
from cli.stack.state import Record, Secrets, State
from contracts.topics import TOPICS


@dataclass(frozen=True)
class Plan:
    """`servers` run before the schemas are brought up to date, `services` after; `database` is None when not ours."""

    state: State
    secrets: Secrets
    record: Record
    settings: Settings
    database: postgres.Postgres | None
    stand_in: MockKafka | None
    servers: list[Program]
    services: list[Program]

    async def gateway(self) -> Program:
        """The web gateway, which needs a machine at identity; to be called when identity's schema is there."""
        password = self.secrets.services["identity"]
        url = services.role_url(self.settings.database_url.get_secret_value(), "identity", password)
        machine = await gateway.machine(self.state, url)
        return gateway.program(self.state, self.record.ports, self.secrets, machine, self.record.mailbox_url)

    def ensure_database(self) -> None:
        if self.database:
            postgres.ensure_database(self.database)


def make_plan(state: State, ports: dict[str, int], last: Record | None, console: Console) -> Plan:
    """Prepares data folders and downloads as well, so that starting is only starting."""
    given = _given_from_outside(last)
    embedded = [part for part in ("postgres", "kafka", "mailbox") if part not in given]
    refuse_taken({name: port for name, port in ports.items() if _belongs_to(name, embedded)})
    secrets = state.secrets()
    servers: list[Program] = []
    database = None
    if "postgres" in embedded:
        database = postgres.Postgres(
            state.folder / "postgres", ports["postgres"], secrets.postgres, state.logs / "postgres.log"
        )
        servers.append(postgres.program(database))
    kafka_servers, stand_in = given.get("kafka", f"{HOST}:{ports['kafka']}"), None
    if "kafka" in embedded:
        try:
            servers.append(kafka.program(_broker(state, ports)))
        except Unreachable as error:
            stand_in = _stand_in(error, console)
            kafka_servers = stand_in.servers
    if "mailbox" in embedded:
        servers.append(services.mailbox(state, ports))
    database_url = database.url() if database else given["postgres"]
    smtp_url = given.get("mailbox", f"smtp://{HOST}:{ports['smtp']}")
    shared = services.shared_environment(state, kafka_servers, smtp_url, ports, secrets)
    settings = load_settings(database_url=database_url, **_values(shared))
    if stand_in:
        mock_kafka.make_topics(stand_in, [settings.topic(topic.name) for topic in TOPICS])
    return Plan(
        state=state,
        secrets=secrets,
        record=Record(
            pid=os.getpid(),
            ready=False,
            database_url=database_url,
            kafka_servers=kafka_servers,
            smtp_url=smtp_url,
            mailbox_url=f"http://{HOST}:{ports['mailbox']}" if "mailbox" in embedded else "",
            services={name: services.service_url(name, ports) for name in SERVICES},
            ports=ports,
            front_url=services.service_url("front", ports),
            embedded=embedded,
        ),
        settings=settings,
        database=database,
        stand_in=stand_in,
        servers=servers,
        services=[*services.programs(state, secrets, database_url, shared, ports), services.front(state, ports)],
    )


def _values(environment: Mapping[str, str]) -> dict[str, Any]:
    return {name.removeprefix("PORTICO_").lower(): value for name, value in environment.items()}


def _given_from_outside(last: Record | None) -> dict[str, str]:
    """Parts that the environment places elsewhere. What `portico env` exported of our own stack does not count."""
    variables = {"postgres": "PORTICO_DATABASE_URL", "kafka": "PORTICO_KAFKA_SERVERS", "mailbox": "PORTICO_SMTP_URL"}
    given = {part: os.environ[name] for part, name in variables.items() if os.environ.get(name)}
    if last:
        ours = {"postgres": last.database_url, "kafka": f"//{last.kafka_servers}", "mailbox": last.smtp_url}
        for part in last.embedded:
            if part in given and _place(given[part]) == _place(ours[part]):
                del given[part]
    return given


def _place(url: str) -> str:
    return urlsplit(url if "//" in url else f"//{url}").netloc.rpartition("@")[2]


def _belongs_to(port_name: str, embedded: list[str]) -> bool:
    owner = {"controller": "kafka", "smtp": "mailbox"}.get(port_name, port_name)
    return owner in {*SERVICES, "front", "gateway"} or owner in embedded


def _stand_in(error: Unreachable, console: Console) -> MockKafka:
    console.print(f"[yellow]Warning: {escape(error.message)} {escape(error.advice)}", soft_wrap=True)
    console.print("[yellow]Going on with a stand-in for Kafka, which forgets all topics when Portico stops.")
    return mock_kafka.start()


def _broker(state: State, ports: Mapping[str, int]) -> kafka.Kafka:
    return kafka.Kafka(state.folder / "kafka", ports["kafka"], ports["controller"], state.logs / "kafka.log")
