"""What `up` runs besides PostgreSQL and Kafka: the mailbox and one process per service, each with its own settings."""

import functools
import http.client
import os
import sys
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from chassis.provision import role_of
from cli.stack.ports import HOST, SERVICES
from cli.stack.programs import Program
from cli.stack.state import Secrets, State


def role_url(admin_url: str, service: str, password: str) -> str:
    """The admin's URL with the service's own role and password in place of the admin's."""
    parts = urlsplit(admin_url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_of(service)}:{quote(password, safe='')}@{place}"))


def shared_environment(
    state: State, kafka_servers: str, smtp_url: str, ports: Mapping[str, int], secrets: Secrets
) -> dict[str, str]:
    """Settings that all services have in common (chassis.settings)."""
    return {
        "PORTICO_KAFKA_SERVERS": kafka_servers,
        "PORTICO_SMTP_URL": smtp_url,
        "PORTICO_MASTER_KEY": secrets.master_key,
        "PORTICO_SEAL_KEY": os.environ.get("PORTICO_SEAL_KEY", ""),
        "PORTICO_OBJECTS_URL": os.environ.get("PORTICO_OBJECTS_URL") or state.objects.absolute().as_uri(),
        "PORTICO_IDENTITY_URL": service_url("identity", ports),
        "PORTICO_DEVELOPMENT": "true",
        "PORTICO_HOST": HOST,
    }


def service_url(service: str, ports: Mapping[str, int]) -> str:
    return f"http://{HOST}:{ports[service]}"


def programs(
    state: State, secrets: Secrets, admin_url: str, shared: Mapping[str, str], ports: Mapping[str, int]
) -> list[Program]:
    """One program per service."""
    return [
        Program(
            name=service,
            command=(sys.executable, "-m", "cli.main", "serve", service),
            log=state.logs / f"{service}.log",
            ready=functools.partial(answers_ready, ports[service]),
            environment={
                **shared,
                "PORTICO_DATABASE_URL": role_url(admin_url, service, secrets.services[service]),
                "PORTICO_PORT": str(ports[service]),
            },
        )
        for service in SERVICES
    ]


def front(state: State, ports: Mapping[str, int]) -> Program:
    """All services behind one address."""
    return Program(
        name="front",
        command=(sys.executable, "-m", "cli.main", "front"),
        log=state.logs / "front.log",
        ready=functools.partial(answers_ready, ports["front"]),
        environment={
            **{f"PORTICO_{service.upper()}_URL": service_url(service, ports) for service in SERVICES},
            "PORTICO_HOST": HOST,
            "PORTICO_PORT": str(ports["front"]),
        },
        grace_seconds=5.0,
    )


def mailbox(state: State, ports: Mapping[str, int]) -> Program:
    return Program(
        name="mailbox",
        command=(
            *(sys.executable, "-m", "cli.stack.mailbox"),
            *(str(state.mail.absolute()), str(ports["mailbox"]), str(ports["smtp"])),
        ),
        log=state.logs / "mailbox.log",
        ready=functools.partial(answers_ready, ports["mailbox"]),
        grace_seconds=5.0,
    )


def answers_ready(port: int) -> bool:
    """Whether GET /health/ready on the port answers 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
