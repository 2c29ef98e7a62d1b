"""The only place where identity is wired together."""

from __future__ import annotations

from pathlib import Path

from chassis.auth import TokenVerifier, trust
from chassis.service import Service
from chassis.settings import Settings
from chassis.texts import Texts
from services.identity.machines import api as machines_api
from services.identity.machines.vault import MachineVault
from services.identity.persons import api as persons_api
from services.identity.persons.reactions import DestroyKeys
from services.identity.reveals import api as reveals_api
from services.identity.signing_keys import api as signing_keys_api
from services.identity.signing_keys.vault import SigningVault
from services.identity.tokens import Tokens, development_router

TEXTS = Texts.load(Path(__file__).with_name("texts.yaml"))


def create(settings: Settings) -> Service:
    service = Service("identity", settings, TEXTS)
    signing = SigningVault(service.pool, service.streams, settings.master_key_bytes)
    machines = MachineVault(service.pool, service.streams)
    tokens = Tokens(signing.signer, settings.token_issuer)
    trust(service.http, TokenVerifier(signing, settings.token_issuer))
    service.consume(DestroyKeys(service.keyring))
    service.background("signing keys", signing.run)
    service.http.include_router(signing_keys_api.router(signing))
    service.http.include_router(machines_api.machines_router(machines))
    service.http.include_router(machines_api.token_router(machines, tokens))
    service.http.include_router(development_router(tokens, settings.development))
    service.http.include_router(reveals_api.router(service.streams, service.sealer))
    service.http.include_router(persons_api.router(service.streams, service.keyring))
    return service
