"""Access: of all that can be presented at a door, only the owner's own valid token opens it."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import math
import random
import string
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from pydantic import SecretStr

from models.errors import AccessError, CursorError, SettingsError
from models.events import Befriend, Like
from streams import store as stores
from streams import tickets
from streams.access import LONGEST_TOKEN, Access, Caller
from streams.clock import now_ms
from streams.cursors import Seal
from streams.keys import Keys, Signer
from streams.settings import Settings
from tests.doors import Doors, bearing, serving
from tests.feeder import feeding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

USERS = [f"user{number:02}" for number in range(20)]
READS = ["/v1/feed", "/v1/feed/live", "/v1/feed/explain/song", "/v1/trending", "/v1/me"]
MUTATIONS = 20_000
ALPHABET = string.ascii_letters + string.digits + "-_.=%! "


def fill(settings: Settings) -> None:
    """Give every user a friend who liked one item that nobody else's friends did."""
    now = now_ms()

    async def feed() -> None:
        async with feeding(settings) as feeder:
            history = [
                event
                for user in USERS
                for event in (
                    Befriend(user=user, friend=f"{user}s", at=now - 60_000),
                    Like(user=f"{user}s", item=f"of-{user}", at=now - 1_000),
                )
            ]
            await feeder.feed(history, random.Random(1))

    asyncio.run(feed())


@pytest.fixture
def doors(settings: Settings, tmp_path: Path) -> Iterator[Doors]:
    """Serve feeds of 20 users."""
    fill(settings)
    with serving(settings, tmp_path) as doors:
        yield doors


def claims(user: str, **other: object) -> dict[str, object]:
    """Give the claims of a good token, or of one that is not."""
    now = now_ms() // 1_000
    good = {"sub": user, "iss": "likewave", "aud": "likewave", "iat": now, "exp": now + 300}
    return {name: value for name, value in {**good, **other}.items() if value is not None}


def encoded(part: object) -> bytes:
    """Write a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def pem(key: jwt.PyJWK) -> bytes:
    """Write a public key as everybody has it."""
    return bytes(key.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def forgeries(doors: Doors, user: str) -> dict[str, str]:
    """Give all kinds of tokens of `user` that must open nothing."""
    key, kid = doors.signer.key, {"kid": doors.signer.key.key_id}
    now = now_ms() // 1_000
    public = (doors.folder / "api-keys.json").read_bytes()

    def signed(**other: object) -> str:
        return jwt.encode(claims(user, **other), key, "EdDSA", kid)

    def sealed(secret: bytes) -> str:
        head = encoded({"alg": "HS256", **kid}) + b"." + encoded(claims(user))
        seal = base64.urlsafe_b64encode(hmac.digest(secret, head, "sha256")).rstrip(b"=")
        return (head + b"." + seal).decode()

    good = doors.token(user)
    return {
        "expired": signed(exp=now - 1),
        "not yet valid": signed(nbf=now + 100),
        "wrong audience": signed(aud="other"),
        "wrong issuer": signed(iss="other"),
        **{f"without {name}": signed(**{name: None}) for name in ("exp", "aud", "iss", "sub")},
        "no id": signed(sub=f"{user} "),
        "a path": signed(sub="../ann"),
        "alg none": jwt.encode(claims(user), None, "none", kid),
        "HS256 with the public key": sealed(public),
        "HS256 with the public key as PEM": sealed(pem(key)),
        "another key": jwt.encode(claims(user), Ed25519PrivateKey.generate(), "EdDSA", kid),
        "no kid": jwt.encode(claims(user), key, "EdDSA"),
        "another kid": jwt.encode(claims(user), key, "EdDSA", {"kid": "other"}),
        "another's claims": ".".join(
            [good.split(".")[0], doors.token("user99").split(".")[1], good.split(".")[2]]
        ),
        "nothing": "..",
    }


def status(client: httpx.Client, path: str, headers: dict[str, str]) -> int:
    """Give the status of an answer, without reading a stream to its end."""
    with client.stream("GET", path, headers=headers) as response:
        return response.status_code


def test_only_the_owner_reads_a_feed(doors: Doors) -> None:
    """Each of 20 users reads what is theirs with a valid token, and no forgery reads anything."""
    for user in USERS:
        live = doors.get("/v1/feed/live", user).json()
        assert [one["item"] for one in live["items"]] == [f"of-{user}"]
        page = doors.get("/v1/feed", user).json()
        assert page["user"] == user
        assert {one["item"] for one in page["items"] if one["proofs"]} == {f"of-{user}"}

        for kind, token in forgeries(doors, user).items():
            for path in (*READS, "/v1/feed/stream"):
                answer = doors.client.get(path, headers=bearing(token))
                assert answer.status_code == 401, (kind, path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"].startswith("Bearer")
        assert doors.client.get("/v1/feed").status_code == 401


def test_a_parameter_names_nobody(doors: Doors) -> None:
    """Whatever else a request says of a user, the feed is that of the token's subject."""
    headers = {**doors.of("user01"), "X-User": "user02", "Cookie": "user=user02"}

    told = doors.client.get("/v1/feed/live?user=user02&sub=user02", headers=headers).json()

    assert [one["item"] for one in told["items"]] == ["of-user01"]


def ticket_of(doors: Doors, user: str) -> str:
    """Ask for a ticket."""
    answer = doors.client.post("/v1/feed/stream/ticket", headers=doors.of(user))
    assert answer.headers["cache-control"] == "no-store"
    return str(answer.json()["ticket"])


def test_a_ticket_opens_one_stream_of_its_user(doors: Doors) -> None:
    """It works once, not with another's token, and nowhere else than at the stream."""
    for user, other in zip(USERS, reversed(USERS), strict=True):
        stream = f"/v1/feed/stream?ticket={ticket_of(doors, user)}"
        with doors.client.stream("GET", stream) as response:
            assert response.status_code == 200
            told = next(line for line in response.iter_lines() if line.startswith("data:"))
        assert f"of-{user}" in told
        assert status(doors.client, stream, {}) == 401

        foreign = f"/v1/feed/stream?ticket={ticket_of(doors, other)}"
        assert status(doors.client, foreign, doors.of(user)) == 401
        assert status(doors.client, foreign, {}) == 401

        unused = ticket_of(doors, user)
        for path in READS:
            assert doors.client.get(f"{path}?ticket={unused}").status_code == 401
            assert doors.client.get(path, headers=bearing(unused)).status_code == 401


@pytest.mark.parametrize("broker", [None])
async def test_no_changed_ticket_is_accepted(broker: None, store: stores.Store, seed: int) -> None:
    """Of thousands of tickets that were changed somewhere none is one; the true one still is."""
    del broker
    chance = random.Random(seed)
    caller = Caller("ann", is_operator=False, expires_at=now_ms() + 60_000)
    async with stores.opened(Settings(redis=store.url)) as feeds:
        ticket = await tickets.issue(feeds, caller)
        for changed in mutations(ticket, MUTATIONS, chance):
            with pytest.raises(AccessError):
                await tickets.redeem(feeds, changed, now=now_ms())

        assert await tickets.redeem(feeds, ticket, now=now_ms()) == caller


@pytest.mark.parametrize("broker", [None])
async def test_of_two_who_present_a_ticket_one_comes_in(broker: None, store: stores.Store) -> None:
    """However many present it at the same moment, a ticket is taken once, and never too late."""
    del broker
    now = now_ms()
    caller = Caller("ann", is_operator=False, expires_at=now + 1_000)
    async with stores.opened(Settings(redis=store.url)) as feeds:
        ticket = await tickets.issue(feeds, caller)
        attempts = [tickets.redeem(feeds, ticket, now=now) for _ in range(50)]
        found = await asyncio.gather(*attempts, return_exceptions=True)
        late = await tickets.issue(feeds, caller)
        with pytest.raises(AccessError):
            await tickets.redeem(feeds, late, now=caller.expires_at)

    assert [one for one in found if isinstance(one, Caller)] == [caller]


def mutations(text: str, count: int, chance: random.Random) -> Iterator[str]:
    """Change, leave out, add or exchange characters, so that the text is another."""
    while count:
        place = chance.randrange(len(text) + 1)
        other = chance.choice(ALPHABET)
        changed = chance.choice(
            [
                text[:place] + other + text[place + 1 :],
                text[:place] + text[place + 1 :],
                text[:place] + other + text[place:],
                text[:place],
                text[place:] + text[:place],
                text.swapcase(),
                text + chance.choice(ALPHABET) * chance.randint(1, 4),
            ]
        )
        if changed != text:
            count -= 1
            yield changed


def test_no_changed_cursor_is_accepted(seed: int) -> None:
    """Thousands of changed cursors open nothing, nor does another user's, nor another secret's."""
    chance = random.Random(seed)
    seal = Seal(Settings(api_secret=SecretStr("s" * 32)))
    sealed = seal.seal("AQAB-some_cursor", "ann")
    assert seal.opened(sealed, "ann") == "AQAB-some_cursor"

    elsewhere = Seal(Settings(api_secret=SecretStr("t" * 32))).seal("AQAB-some_cursor", "ann")
    wrong = [*mutations(sealed, MUTATIONS, chance), seal.seal("AQAB-some_cursor", "bob"), elsewhere]
    for changed in [*wrong, "AQAB-some_cursor", "AQAB-some_cursor.", "", ".", "ü.ü", "\ud800"]:
        with pytest.raises(CursorError):
            seal.opened(changed, "ann")


def hostile() -> list[str]:
    """Give what somebody may send instead of a token."""
    deep = base64.urlsafe_b64encode(b'{"kid":' + b"[" * 2_500).decode()
    heads = [{}, {"alg": "EdDSA"}, {"alg": None, "kid": 1}, {"alg": [], "kid": []}, [], "x", 1]
    written = [encoded(head).decode() for head in heads]
    listed = [f"{head}.{body}.{body}" for head in written for body in ("", "e30", "W10", "bnVsbA")]
    return [deep + ".e30.e30", "a" * (LONGEST_TOKEN + 1), "..", "a.b", "a.b.c.d", *listed]


def test_what_is_no_token_is_refused_and_breaks_nothing(doors: Doors) -> None:
    """Garbage, however deep or long, is answered as any other wrong token."""
    for token in hostile():
        answer = doors.client.get("/v1/me", headers=bearing(token))
        assert answer.status_code == 401, token[:80]


@pytest.mark.parametrize("wrong", [{"sub": 7}, {"exp": "x"}, {"exp": 1e400}, {"aud": 7}])
def test_claims_of_another_type_are_refused(doors: Doors, wrong: dict[str, object]) -> None:
    """A key that is trusted may sign nonsense: it is refused all the same."""
    head = {"alg": "EdDSA", "kid": doors.signer.key.key_id}
    told = encoded(head) + b"." + encoded({**claims("ann"), **wrong})
    signature = base64.urlsafe_b64encode(doors.signer.key.key.sign(told)).rstrip(b"=")
    signed = told + b"." + signature

    assert doors.client.get("/v1/me", headers=bearing(signed.decode())).status_code == 401


def test_an_operator_is_one_by_scope_alone(doors: Doors) -> None:
    """The scope of a token says so, word by word; nothing else does."""
    for scope, is_operator in [("operator", True), ("read operator", True), ("operators", False)]:
        kid = {"kid": doors.signer.key.key_id}
        token = jwt.encode(claims("ann", scope=scope), doors.signer.key, "EdDSA", kid)
        told = doors.client.get("/v1/me", headers=bearing(token)).json()
        assert told["operator"] is is_operator
    assert doors.get("/v1/me", "operator").json()["operator"] is False


class TestSession:
    """The cookie of a browser."""

    def test_it_reads_like_the_token_until_it_is_ended(self, doors: Doors) -> None:
        """A session is begun with a token, hidden from scripts, and forgotten when it is ended."""
        begun = doors.client.post("/v1/session", headers=doors.of("user03"))
        cookie = begun.headers["set-cookie"]
        assert begun.status_code == 204
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert doors.client.get("/v1/me").json()["user"] == "user03"

        doors.client.delete("/v1/session", headers={"X-Likewave": "1"})
        assert doors.client.get("/v1/me").status_code == 401

    def test_another_site_changes_nothing_with_it(self, doors: Doors) -> None:
        """A request that changes something needs a header that other origins cannot send."""
        doors.client.post("/v1/session", headers=doors.of("user03"))
        ticket = "/v1/feed/stream/ticket"

        assert doors.client.post(ticket).status_code == 403
        assert doors.client.delete("/v1/session").status_code == 403
        assert doors.client.get("/v1/me").status_code == 200
        assert doors.client.post(ticket, headers={"X-Likewave": "1"}).status_code == 200

    def test_it_needs_a_token(self, doors: Doors) -> None:
        """A cookie begins no session, and neither does nothing."""
        doors.client.cookies.set("likewave", doors.token("user03"))
        changing = {"X-Likewave": "1"}

        assert doors.client.post("/v1/session", headers=changing).status_code == 401
        doors.client.cookies.clear()
        assert doors.client.post("/v1/session", headers=changing).status_code == 401

    def test_it_is_sent_over_tls_alone_where_there_is_tls(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        """Where front-ends reach the API by https, the cookie is secure."""
        behind_tls = settings.model_copy(update={"api_url": "https://likewave.example"})
        fill(settings)
        with serving(behind_tls, tmp_path) as doors:
            begun = doors.client.post("/v1/session", headers=doors.of("ann"))
            assert "Secure" in begun.headers["set-cookie"].split("; ")


def private_keys() -> dict[str, tuple[object, Callable[[object], dict[str, object]]]]:
    """Give a private key for each algorithm, and what writes its public half down."""
    return {
        "EdDSA": (Ed25519PrivateKey.generate(), OKPAlgorithm.to_jwk),
        "ES256": (ec_key(SECP256R1()), ECAlgorithm.to_jwk),
        "RS256": (rsa_key(65_537, 2_048), RSAAlgorithm.to_jwk),
    }


def write_set(path: Path, listed: list[dict[str, object]]) -> None:
    """Write a key set in one step."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"keys": listed}))
    draft.replace(path)


def test_keys_are_rotated_without_a_restart(doors: Doors) -> None:
    """A key that comes into the set is believed at once, of any allowed algorithm; one out, not."""
    path = doors.folder / "api-keys.json"
    old = json.loads(path.read_bytes())["keys"]
    for algorithm, (private, written) in private_keys().items():
        public = written(private.public_key(), as_dict=True)  # type: ignore[attr-defined, call-arg]
        token = jwt.encode(claims("ann"), private, algorithm, {"kid": algorithm})  # type: ignore[arg-type]
        assert doors.client.get("/v1/me", headers=bearing(token)).status_code == 401

        write_set(path, [*old, {**public, "kid": algorithm}])
        assert doors.client.get("/v1/me", headers=bearing(token)).json()["user"] == "ann"
        assert doors.get("/v1/me", "ann").status_code == 200

        path.write_text('{"keys": [')  # as it is while it is written
        assert doors.client.get("/v1/me", headers=bearing(token)).status_code == 200

        write_set(path, [{**public, "kid": algorithm}])
        assert doors.client.get("/v1/me", headers=bearing(token)).status_code == 200
        assert doors.get("/v1/me", "ann").status_code == 401
        write_set(path, old)


WEAK = rsa_key(65_537, 1_024).public_key()  # noqa: S505 - it is refused
OKP = {"kty": "OKP", "crv": "Ed25519", "kid": "a"}


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ([], "has no keys"),
        ([{**OKP, "x": "AAAA"}], "is not a JWK set"),
        ([{"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}], "is not a JWK set"),
        ([{"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "a"}], "is for HS256"),
        ([RSAAlgorithm.to_jwk(WEAK, as_dict=True) | {"kid": "a"}], "fewer than 2048 bits"),
        ([OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True) | {"kid": "a"}], "priva"),
    ],
)
def test_a_key_set_that_must_not_be_used_is_refused(
    tmp_path: Path, keys: list[dict[str, object]], complaint: str
) -> None:
    """No keys, secret keys, private keys: each ends the start with a line that says so."""
    write_set(tmp_path / "keys.json", keys)

    with pytest.raises(SettingsError, match=complaint):
        Keys(tmp_path / "keys.json")


def test_without_keys_or_a_secret_there_are_no_doors(tmp_path: Path) -> None:
    """What could verify or sign nothing does not start, and says what is missing."""
    with pytest.raises(SettingsError, match="LIKEWAVE_API_KEYS"):
        Access(Settings())
    with pytest.raises(SettingsError, match="LIKEWAVE_API_SECRET"):
        Seal(Settings())
    with pytest.raises(SettingsError, match="no-such-file"):
        Access(Settings(api_keys=tmp_path / "no-such-file"))


def test_a_token_made_elsewhere_is_read(tmp_path: Path) -> None:
    """What a signer gives is what access reads, to the second."""
    private = Ed25519PrivateKey.generate()
    made = OKPAlgorithm.to_jwk(private, as_dict=True) | {"kid": "a"}
    write_set(tmp_path / "keys.json", [{k: v for k, v in made.items() if k != "d"}])
    settings = Settings(api_keys=tmp_path / "keys.json", api_issuer="sso", api_audience="feeds")
    now = now_ms()

    token = Signer(jwt.PyJWK(made), "sso", "feeds").token("ann", now=now, minutes=2, operator=True)

    expires = (now // 1_000 + 120) * 1_000
    assert Access(settings).caller(token) == Caller("ann", is_operator=True, expires_at=expires)


def test_a_token_may_say_how_old_the_account_is(tmp_path: Path) -> None:
    """As a moment in Unix ms; whatever else is refused, and so is a token without an end."""
    made = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True) | {"kid": "a"}
    write_set(tmp_path / "keys.json", [{k: v for k, v in made.items() if k != "d"}])
    access = Access(Settings(api_keys=tmp_path / "keys.json"))

    soon = now_ms() // 1_000 + 60

    def token(since: object, exp: float = soon) -> str:
        claims = {"sub": "ann", "iss": "likewave", "aud": "likewave", "exp": exp, "since": since}
        return jwt.encode(claims, jwt.PyJWK(made), "EdDSA", {"kid": "a"})

    assert access.caller(token(1_790_000_000_000)).since == 1_790_000_000_000
    for wrong in ("1790000000000", -1, 0, 10**30, 1.5, True, []):
        with pytest.raises(AccessError, match="`since`"):
            access.caller(token(wrong))
    for late in (10**400, 1e300, math.inf):
        with pytest.raises(AccessError):
            access.caller(token(None, exp=late))
