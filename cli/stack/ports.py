"""Ports of the embedded stack: which one belongs to which part, and a clear word when one is taken."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress

import psutil

from cli.problem import Problem

HOST = "127.0.0.1"
SERVICES = ("identity", "entities", "journeys", "processes", "billing", "notifications", "portal")
DEFAULTS = {
    "identity": 8400,
    "entities": 8401,
    "billing": 8402,
    "notifications": 8403,
    "portal": 8404,
    "journeys": 8405,
    "processes": 8406,
    "front": 8410,
    "gateway": 8411,
    "postgres": 5433,
    "kafka": 9094,
    "controller": 9095,
    "mailbox": 8025,
    "smtp": 1025,
}
OFFSETS = {
    **{name: DEFAULTS[name] - DEFAULTS["identity"] for name in (*SERVICES, "front", "gateway")},
    **{name: offset for offset, name in enumerate(("postgres", "kafka", "controller", "mailbox", "smtp"), start=20)},
}


def choose(base: int | None = None, given: Mapping[str, int] | None = None) -> dict[str, int]:
    """The port of every part: the defaults, or counted from a base, or any free one when the base is 0."""
    if base is None:
        ports = dict(DEFAULTS)
    elif base == 0:
        ports = dict(zip(DEFAULTS, free_ports(len(DEFAULTS)), strict=True))
    else:
        ports = {name: base + offset for name, offset in OFFSETS.items()}
    return {**ports, **(given or {})}


def parse(choices: Iterable[str]) -> dict[str, int]:
    """`["kafka=9192"]` as a mapping, or a Problem that names what is possible."""
    ports = {}
    for choice in choices:
        name, _, number = choice.partition("=")
        if name not in DEFAULTS or not number.isdecimal() or not 0 < int(number) < 65536:
            raise Problem(
                f"{choice!r} is not a choice of port.", f"Write PART=PORT, PART one of {', '.join(DEFAULTS)}."
            )
        ports[name] = int(number)
    return ports


def refuse_taken(ports: Mapping[str, int]) -> None:
    """Raises a Problem for the first port that somebody else listens on."""
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise Problem(
                    f"Port {port} (for {name}) is taken{_by_whom(port)}.",
                    f"Choose another with --port {name}={port + 1}, or move all of them with --port-base 18400.",
                ) from error


def free_port() -> int:
    """A port nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def _by_whom(port: int) -> str:
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""
