"""The example of an ingress leads where `portico up` leads, and keeps to itself what is not for outside."""

from __future__ import annotations

import re

from cli.front.proxy import MAXIMUM_BODY_BYTES
from cli.stack.ports import DEFAULTS, SERVICES
from tests.deploy.compose import ROOT

TEXT = (ROOT / "deploy/nginx.conf").read_text()
HIDDEN = re.compile(re.search(r"location ~ (\S+) \{ return 404; }", TEXT)[1])  # type: ignore[index]  # it must be there


def test_every_service_is_reached_at_its_port_without_the_prefix() -> None:
    found = dict(re.findall(r"location /api/(\w+)/ +\{ proxy_pass http://(\S+)/;", TEXT))
    assert found == {service: f"{service}:{DEFAULTS[service]}" for service in SERVICES}


def test_the_description_is_that_of_the_front() -> None:
    assert TEXT.count(f"proxy_pass http://front:{DEFAULTS['front']};") == 2


def test_bodies_have_the_same_limit() -> None:
    assert f"client_max_body_size {MAXIMUM_BODY_BYTES // 2**20}m;" in TEXT


def test_what_is_not_for_outside_is_hidden() -> None:
    for path in ("/api/billing/metrics", "/api/identity/development/token", "/api/identity/links"):
        assert HIDDEN.match(path), path
    for path in ("/api/portal/contracts", "/api/identity/token", "/api/portal/me"):
        assert not HIDDEN.match(path), path


def test_braces_match() -> None:
    assert TEXT.count("{") == TEXT.count("}")
    assert all(line.endswith((";", "}")) for line in TEXT.splitlines() if line and not line.startswith("#"))
