"""Writes kafka-jars.lock anew: `python -m cli.stack.lock_jars` after a change of the versions below."""

import tempfile
from pathlib import Path

from cli.stack.jars import LOCK, Jar, fetch, sha256_of

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1:compile", "org.slf4j:slf4j-simple:1.7.36:compile")
HEADER = (
    "# The Kafka broker and all it needs at run time: name, version, SHA-256. Made by python -m cli.stack.lock_jars\n"
)


def main() -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=30)
        roots, needed = context.resolver.resolve([context.create_dependency(root) for root in ROOTS])
        lines = []
        for dependency in [*roots, *needed]:
            name = f"{dependency.groupId}:{dependency.artifactId}"
            path = fetch(Jar(name, dependency.version, ""), Path(folder))
            lines.append(f"{name} {dependency.version} {sha256_of(path)}\n")
        LOCK.write_text(HEADER + "".join(sorted(lines)))


if __name__ == "__main__":
    main()
