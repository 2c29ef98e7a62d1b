"""The image holds what the services need and nothing that only development needs."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from cli.stack.ports import SERVICES
from tests.deploy.compose import ROOT

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

IMPORT_WITH_ONLY = """
import importlib, importlib.metadata, sys
allowed, modules = set(sys.argv[1].split(",")), sys.argv[2].split(",")
names = {module: {name.lower().replace("_", "-") for name in found}
         for module, found in importlib.metadata.packages_distributions().items()}

class Absent:
    def find_spec(self, name, path=None, target=None):
        owners = names.get(name.partition(".")[0], set())
        if owners and "portico" not in owners and not owners & allowed:
            raise ModuleNotFoundError(f"{name} is not in the image")

sys.meta_path.insert(0, Absent())
for module in modules:
    importlib.import_module(module)
"""


def locked(path: str) -> dict[str, set[str]]:
    """The requirements of a lock file: name==version to its hashes."""
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / path).read_text()):
        if not entry.startswith("#") and "==" in entry:
            found[entry.split()[0]] = set(re.findall(r"--hash=(\S+)", entry))
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=; ]", requirement)[0].lower() for requirement in requirements}


def test_the_lock_of_the_image_is_part_of_the_lock_of_the_project() -> None:
    whole, image = locked("requirements.lock"), locked("deploy/requirements.lock")
    assert image
    for requirement, hashes in image.items():
        assert hashes, f"{requirement} has no hash"
        assert hashes <= whole.get(requirement, set()), f"{requirement}: make the lock of the image anew"


def test_the_image_has_every_dependency_and_no_tool_of_development() -> None:
    present = {requirement.partition("==")[0] for requirement in locked("deploy/requirements.lock")}
    project = PROJECT["project"]
    assert names(project["dependencies"]) <= present
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    assert not (names(extras) - names(project["dependencies"])) & (present - {"packaging"})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_needs_nothing_that_the_image_lacks(service: str) -> None:
    done = _import_with_image_packages("cli.main", "cli.serve", "cli.migrate", f"services.{service}.app")
    assert done.returncode == 0, done.stderr


def test_a_module_that_the_image_lacks_would_be_noticed() -> None:
    done = _import_with_image_packages("hypothesis")
    assert "hypothesis is not in the image" in done.stderr


def test_the_image_holds_every_package_of_the_project() -> None:
    packages = {pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert set(re.findall(r"^COPY (\w+) /srv/portico/\1$", DOCKERFILE, re.MULTILINE)) == {*packages, "LICENSE"}
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().split()
    assert packages <= {line.removeprefix("!") for line in ignored if line.startswith("!")}


def test_the_image_runs_as_nobody_of_importance_on_the_python_of_the_project() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", bases.pop())
    assert "--require-hashes" in DOCKERFILE


def _import_with_image_packages(*modules: str) -> subprocess.CompletedProcess[str]:
    allowed = ",".join(requirement.partition("==")[0] for requirement in locked("deploy/requirements.lock"))
    return subprocess.run(
        [sys.executable, "-c", IMPORT_WITH_ONLY, allowed, ",".join(modules)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
