"""Tokens: what is accepted, what is not, and how keys are fetched."""

import base64
import hmac
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from chassis.auth import LocalKeys, Principal, RemoteKeys, TokenVerifier, Unauthenticated, generate_key, issue
from chassis.errors import Unavailable

MINUTE = timedelta(minutes=1)
KEY = generate_key()
CLAIMS = Principal("customer", "user-1", contact_id="contact-1", portal_id="customers", actor="staff-7").claims()


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def refusal(token: str, verifier: TokenVerifier | None = None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await (verifier or TokenVerifier(LocalKeys([KEY]))).verify(token)
    return caught.value.code


async def test_a_token_speaks_for_its_principal() -> None:
    verifier = TokenVerifier(LocalKeys([KEY]))
    token = issue(KEY, CLAIMS, MINUTE)
    expected = Principal("customer", "user-1", "contact-1", "customers", "staff-7")
    assert await verifier.verify(token) == expected
    assert await verifier.verify(token) == expected
    assert expected.responsible == "staff-7"
    assert issue(KEY, CLAIMS, MINUTE) != token


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "somebody"}, "token_invalid"),
        ({"iss": None}, "token_invalid"),
        ({"aud": "other"}, "token_invalid"),
        ({"aud": ["other"]}, "token_invalid"),
        ({"exp": None}, "token_invalid"),
        ({"exp": "tomorrow"}, "token_invalid"),
        ({"exp": time.time() - 3_600}, "token_expired"),
        ({"nbf": time.time() + 3_600}, "token_invalid"),
        ({"sub": ""}, "token_invalid"),
        ({"sub": 7}, "token_invalid"),
        ({"role": "root"}, "token_invalid"),
        ({"role": ["operator"]}, "token_invalid"),
        ({"contact_id": 7}, "token_invalid"),
        ({"act": {"sub": 7}}, "token_invalid"),
        ({"act": 7}, "token_invalid"),
    ],
)
async def test_wrong_claims_are_refused(claims: dict[str, Any], code: str) -> None:
    assert await refusal(issue(KEY, {**CLAIMS, **claims}, MINUTE)) == code


async def test_a_clock_that_is_a_little_off_is_forgiven() -> None:
    verifier = TokenVerifier(LocalKeys([KEY]))
    now = time.time()
    assert await verifier.verify(issue(KEY, CLAIMS, MINUTE, now=now + 5))
    assert await verifier.verify(issue(KEY, CLAIMS, MINUTE, now=now - 65))
    assert await refusal(issue(KEY, CLAIMS, MINUTE, now=now - 75), verifier) == "token_expired"


async def test_a_token_that_was_accepted_expires_nonetheless() -> None:
    clock = Clock(time.time())
    verifier = TokenVerifier(LocalKeys([KEY]), clock=clock)
    token = issue(KEY, CLAIMS, timedelta(seconds=20), now=clock.now)
    await verifier.verify(token)
    clock.now += 25
    await verifier.verify(token)
    clock.now += 10
    assert await refusal(token, verifier) == "token_expired"


async def test_the_algorithm_cannot_be_chosen_by_the_sender() -> None:
    payload = encoded({**CLAIMS, "iss": "portico", "aud": "portico", "exp": time.time() + 60})
    header = {"typ": "at+jwt", "kid": KEY.kid}
    assert await refusal(f"{encoded({**header, 'alg': 'none'})}.{payload}.") == "token_invalid"

    signed = f"{encoded({**header, 'alg': 'HS256'})}.{payload}".encode()
    for secret in (KEY.as_pem(private=False), base64.urlsafe_b64decode(str(KEY.as_dict()["x"]) + "==")):
        mac = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
        assert await refusal(f"{signed.decode()}.{mac.decode()}") == "token_invalid"

    rsa = RSAKey.generate_key(2048)
    assert await refusal(jwt.encode({**header, "alg": "RS256"}, CLAIMS, rsa, algorithms=["RS256"])) == "token_invalid"
    curve = OKPKey.generate_key("Ed25519", {"kid": KEY.kid or ""})
    assert await refusal(issue(curve, CLAIMS, MINUTE)) == "token_invalid"


async def test_a_changed_token_is_refused() -> None:
    header, payload, signature = issue(KEY, CLAIMS, MINUTE).split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=="))
    assert await refusal(f"{header}.{encoded({**claims, 'role': 'operator'})}.{signature}") == "token_invalid"
    assert await refusal(f"{header}.{payload}.{signature[:-4]}AAAA") == "token_invalid"
    assert await refusal(f"{header}.{payload}") == "token_invalid"


@pytest.mark.parametrize(
    "token", ["", "x", "..", "a.b.c", "é.ü.ß", "a" * 5000, "\x00.\x00.\x00", "😀.😀.😀", "\udcff.a.b"]
)
async def test_what_is_no_token_is_refused(token: str) -> None:
    assert await refusal(token) == "token_invalid"


async def test_a_token_of_another_type_or_without_a_key_id_is_refused() -> None:
    claims = {**CLAIMS, "iss": "portico", "aud": "portico", "exp": int(time.time()) + 60}
    for header in ({"kid": KEY.kid, "typ": "ticket+jwt"}, {"typ": "at+jwt"}, {"kid": 7, "typ": "at+jwt"}):
        signed = f"{encoded({**header, 'alg': 'EdDSA'})}.{encoded(claims)}"
        signature = base64.urlsafe_b64encode(KEY.get_op_key("sign").sign(signed.encode())).rstrip(b"=").decode()  # type: ignore[union-attr]
        assert await refusal(f"{signed}.{signature}") == "token_invalid"


class Identity:
    """A JWKS endpoint whose keys, reachability and number of calls a test controls."""

    def __init__(self, *keys: OKPKey) -> None:
        self.keys = list(keys)
        self.calls = 0
        self.answer: Callable[[], httpx.Response] = self.jwks

    def jwks(self) -> httpx.Response:
        return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})

    def transport(self) -> httpx.MockTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            assert str(request.url) == "http://identity/.well-known/jwks.json"
            self.calls += 1
            return self.answer()

        return httpx.MockTransport(handle)


async def test_keys_are_fetched_once_and_again_for_a_new_one() -> None:
    identity, clock = Identity(KEY), Clock(1000.0)
    keys = RemoteKeys("http://identity/", identity.transport(), clock)
    verifier = TokenVerifier(keys)
    for _ in range(3):
        await verifier.verify(issue(KEY, CLAIMS, MINUTE))
    assert identity.calls == 1

    new = generate_key()
    identity.keys = [KEY, new]
    assert await refusal(issue(new, CLAIMS, MINUTE), verifier) == "token_invalid"
    assert identity.calls == 1, "an unknown key must not let anybody make us call identity at will"
    clock.now += 11
    assert await verifier.verify(issue(new, CLAIMS, MINUTE))
    assert identity.calls == 2


async def test_a_key_that_left_the_jwks_is_no_longer_accepted() -> None:
    identity, clock = Identity(KEY), Clock(1000.0)
    keys = RemoteKeys("http://identity", identity.transport(), clock)
    assert await keys.find(KEY.kid or "")
    identity.keys = [generate_key()]
    clock.now += 61
    assert await keys.find(KEY.kid or ""), "the refresh runs beside the request"
    while keys._fetching is not None:
        await keys._fetching
    clock.now += 11
    assert await keys.find(KEY.kid or "") is None


async def test_an_identity_that_is_away_is_not_the_callers_fault() -> None:
    identity, clock = Identity(KEY), Clock(1000.0)
    identity.answer = lambda: httpx.Response(502)
    keys = RemoteKeys("http://identity", identity.transport(), clock)
    verifier = TokenVerifier(keys)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await verifier.verify(issue(KEY, CLAIMS, MINUTE))
    assert identity.calls == 1

    identity.answer = identity.jwks
    clock.now += 11
    await verifier.verify(issue(KEY, CLAIMS, MINUTE))
    identity.answer = lambda: httpx.Response(502)
    clock.now += 1800
    assert await keys.find(KEY.kid or ""), "the last keys serve for an hour"
    clock.now += 1801
    with pytest.raises(Unavailable):
        await keys.find(KEY.kid or "")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"nonsense"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "?"}]}),
        httpx.Response(200, content=b" " * 70_000 + b'{"keys": []}'),
    ],
)
async def test_a_broken_jwks_is_an_outage_and_no_crash(answer: httpx.Response) -> None:
    identity = Identity()
    identity.answer = lambda: answer
    with pytest.raises(Unavailable):
        await RemoteKeys("http://identity", identity.transport()).find("a")


async def test_keys_of_other_kinds_are_passed_over() -> None:
    identity = Identity(KEY)
    others = [RSAKey.generate_key(2048, {"kid": "rsa"}).as_dict(private=False), {"kty": "OKP", "crv": "X25519"}, 7]
    identity.answer = lambda: httpx.Response(200, json={"keys": [*others, KEY.as_dict(private=False)]})
    keys = RemoteKeys("http://identity", identity.transport())
    assert await keys.find("rsa") is None
    assert await keys.find(KEY.kid or "")
