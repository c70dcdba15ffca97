"""The API: what its doors answer, what they say when something is wrong, and that they recover."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
import redis

from models.events import Befriend, Block, Event, Hide, Like, Post, Share, Takedown, Unlike
from models.policy import HOUR, Policy
from streams import store as stores
from streams.clock import now_ms
from streams.guard import LARGEST_BODY
from streams.page_policies import LivePolicies
from streams.pager import Pager
from streams.problems import ProblemError
from streams.quotas import AHEAD, READS, WINDOW_S, Quotas
from streams.server import HOST, free_port
from tests.command import complaint, environment, run, start
from tests.doors import Doors, bearing, serving, with_keys
from tests.feeder import feeding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.local import Broker, Store
    from streams.settings import Settings

NOW = now_ms()
ITEMS = [f"item{number:02}" for number in range(30)]
NO_KAFKA = {"kafka": "127.0.0.1:9"}


def network() -> list[Event]:
    """Give ann two friends who like 30 items of cat's; dan made one, and ann blocked dan."""
    friends = [Befriend(user="ann", friend=one, at=NOW - HOUR) for one in ("bob", "eve")]
    posts = [Post(user="cat", item=one, topics=["music"], at=NOW - HOUR) for one in ITEMS]
    likes = [Like(user="bob", item=one, at=NOW - 60_000 + at) for at, one in enumerate(ITEMS)]
    return [
        *(*friends, *posts, *likes),
        Share(user="eve", item="item29", at=NOW - 1_000),
        Post(user="dan", item="rant", topics=["music"], at=NOW - HOUR),
        Like(user="bob", item="rant", at=NOW - 500),
        Like(user="zoe", item="rant", at=NOW - 500),
        Block(user="ann", other="dan", at=NOW - 400),
    ]


def live(settings: Settings, history: list[Event]) -> None:
    """Bring events into the shards, as a worker does."""

    async def feed() -> None:
        async with feeding(settings, read=False) as feeder:
            await feeder.feed(history, random.Random(1))

    asyncio.run(feed())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Name no broker: reading needs none."""
    return settings.model_copy(update=NO_KAFKA)


@pytest.fixture
def doors(settings: Settings, tmp_path: Path) -> Iterator[Doors]:
    """Serve a small network."""
    live(settings, network())
    with serving(settings, tmp_path) as doors:
        yield doors


@pytest.fixture
def local_doors(settings: Settings, tmp_path: Path) -> Iterator[Doors]:
    """Serve as a local stack does."""
    live(settings, network())
    with serving(settings, tmp_path, local=True) as doors:
        yield doors


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, object]:
    """Check that an answer is a problem, and give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, object] = answer.json()
    assert told["type"] == f"urn:likewave:{kind}"
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    return told


class TestFeed:
    """Pages of the ranked feed."""

    def test_pages_repeat_and_skip_nothing(self, doors: Doors) -> None:
        """From cursor to cursor every item comes once, as the pager gives them."""
        seen: list[str] = []
        page = doors.get("/v1/feed?limit=7", "ann").json()
        while True:
            seen += [one["item"] for one in page["items"]]
            if page["cursor"] is None:
                break
            page = doors.get(f"/v1/feed?limit=7&cursor={page['cursor']}", "ann").json()

        assert sorted(seen) == ITEMS

    def test_a_page_says_what_likewave_page_says(self, doors: Doors, settings: Settings) -> None:
        """Items, reasons and proofs are the pager's; each has its effective time and strength."""

        async def paged() -> list[tuple[str, list[str]]]:
            async with (
                stores.reading(settings) as feeds,
                Pager(feeds, settings, LivePolicies(settings)) as pager,
            ):
                page = await pager.look("ann", now=now_ms())
                return [(one.item, list(one.reasons)) for one in page.items]

        page = doors.get("/v1/feed", "ann").json()

        assert [(one["item"], one["reasons"]) for one in page["items"]] == asyncio.run(paged())
        for one in page["items"]:
            strength = 2 ** ((one["effective_time"] - now_ms()) / settings.policy.half_life_ms)
            assert one["strength"] == pytest.approx(strength, rel=1e-3)

    def test_a_tag_holds_until_something_is_told_anew(
        self, doors: Doors, settings: Settings
    ) -> None:
        """Time alone changes no tag, an act does; a tag of another viewer's is none."""
        first = doors.get("/v1/feed", "ann")
        tag = first.headers["etag"]
        time.sleep(0.01)
        again = doors.get("/v1/feed", "ann", **{"If-None-Match": f'"x", {tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert doors.get("/v1/feed", "bob", **{"If-None-Match": tag}).status_code == 200

        live(settings, [*network(), Like(user="eve", item="item03", at=NOW)])
        changed = doors.get("/v1/feed", "ann", **{"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != tag

    def test_a_cursor_is_its_viewers_own(self, doors: Doors) -> None:
        """Changed, cut, unsigned, or another's: one problem, which names the field."""
        cursor = doors.get("/v1/feed?limit=7", "ann").json()["cursor"]
        for user, wrong in [
            ("bob", cursor),
            ("ann", cursor[:-1]),
            ("ann", cursor.rpartition(".")[0]),
            ("ann", "%00"),
            ("ann", "%ff.%ff"),
            ("ann", ""),
        ]:
            told = problem(doors.get(f"/v1/feed?cursor={wrong}", user), 400, "bad-cursor")
            assert told["field"] == "query.cursor"

    def test_an_explanation_has_every_number(self, doors: Doors) -> None:
        """It is that of `likewave explain`; of what nobody brings there is a verdict alone."""
        told = doors.get("/v1/feed/explain/item29", "ann").json()
        assert told["user"] == "ann"
        assert "shared by eve" in told["verdict"]
        assert [one["who"] for one in told["evidence"]["contributions"]] == ["eve", "bob"]
        for item in ("rant", "never-was"):
            verdict = doors.get(f"/v1/feed/explain/{item}", "ann").json()
            assert verdict["verdict"] == "not shown: nothing brings it to ann"
            assert verdict["evidence"] is None


class TestLiveFeed:
    """The live feed, as it is stored."""

    def test_it_is_the_social_feed_best_first(self, doors: Doors) -> None:
        """Items with their newest proofs, by effective time, of nobody who is blocked."""
        told = doors.get("/v1/feed/live?limit=120", "ann").json()
        times = [one["effective_time"] for one in told["items"]]

        assert [one["item"] for one in told["items"]] == ITEMS[::-1]
        assert times == sorted(times, reverse=True)
        assert told["items"][0]["proofs_total"] == 2
        assert told["items"][0]["proofs"][0] == {"kind": "share", "who": "eve", "at": NOW - 1_000}
        assert (told["items"][0]["author"], told["items"][0]["topics"]) == ("cat", ["music"])

    def test_its_version_is_its_tag(self, doors: Doors, settings: Settings) -> None:
        """It changes with an act, and comes back when the act is taken back."""
        first = doors.get("/v1/feed/live", "ann")
        assert first.headers["etag"] == f'"{first.json()["version"]}"'
        known = {"If-None-Match": first.headers["etag"]}
        assert doors.get("/v1/feed/live", "ann", **known).status_code == 304

        history = [*network(), Like(user="eve", item="item05", at=NOW)]
        live(settings, history)
        assert doors.get("/v1/feed/live", "ann", **known).status_code == 200
        live(settings, [*history, Unlike(user="eve", item="item05", at=NOW + 1)])
        assert doors.get("/v1/feed/live", "ann", **known).status_code == 304


@pytest.mark.parametrize("shards", [1, 4])
def test_trends_of_all_shards_are_one_list(doors: Doors) -> None:
    """The strongest first, whole, without what is by somebody whom the viewer cut off."""
    mine = doors.get("/v1/trending?limit=100", "ann").json()["items"]
    theirs = doors.get("/v1/trending?limit=100&topic=music", "zoe").json()["items"]
    scores = [one["score"] for one in theirs]

    assert {one["item"] for one in mine} == set(ITEMS)
    assert {one["item"] for one in theirs} == {*ITEMS, "rant"}
    assert scores == sorted(scores, reverse=True)
    assert theirs[0]["likes"] + theirs[0]["shares"] == 2
    assert len(doors.get("/v1/trending?limit=5", "ann").json()["items"]) == 5
    assert doors.get("/v1/trending?topic=silence", "ann").json() == {"items": []}


@pytest.mark.parametrize("shards", [1, 4])
def test_an_item_is_known_or_it_is_not(doors: Doors, settings: Settings) -> None:
    """Counted where it is at home; what is gone, of a blocked author, or never was is all one."""
    told = doors.get("/v1/items/item29", "ann").json()
    assert told.pop("strength") > 0
    assert told == {
        "item": "item29",
        "author": "cat",
        "topics": ["music"],
        "posted_at": NOW - HOUR,
        "likes": 1,
        "shares": 1,
        "views": 0,
    }
    assert doors.get("/v1/items/rant", "zoe").json()["likes"] == 2

    hidden = [Takedown(item="item00", at=NOW), Hide(user="ann", item="item01", at=NOW)]
    live(settings, [*network(), *hidden])
    details = {
        str(problem(doors.get(f"/v1/items/{item}", "ann"), 404, "not-found")["detail"]).replace(
            item, "it"
        )
        for item in ("rant", "item00", "never-was")
    }
    assert len(details) == 1
    assert doors.get("/v1/items/item01", "ann").status_code == 200
    trending = doors.get("/v1/trending?limit=100", "ann").json()["items"]
    assert {one["item"] for one in trending} == {*ITEMS} - {"item00", "item01"}


@pytest.mark.parametrize(
    "path",
    [
        *("/health", "/ready", "/", "/operator", "/docs", "/openapi.json"),
        *("/v1/feed", "/v1/feed/live", "/v1/feed/explain/item01", "/v1/trending"),
        *("/v1/items/item01", "/v1/items/never-was", "/v1/me", "/v1/operator/report"),
    ],
)
def test_head_is_get_without_the_body(doors: Doors, path: str) -> None:
    """Status, type and tag are the same, also of an error; a stream is nothing but its body."""
    head = doors.client.head(path, headers=doors.of("ann"))
    got = doors.get(path, "ann")

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers.get("etag") == got.headers.get("etag")
    assert doors.client.head("/v1/feed/stream").status_code == 405


class TestProblems:
    """What is wrong is said in one way, whatever it is."""

    def test_every_error_is_a_problem_document(self, doors: Doors) -> None:
        """Wrong address, method, value, token: type, title, status and detail."""
        for path in ("/v1/nothing", "/v1/feed/", "//v1/feed"):
            problem(doors.get(path, "ann"), 404, "not-found")
        wrong = doors.client.put("/v1/me", headers=doors.of("ann"))
        problem(wrong, 405, "method-not-allowed")
        assert wrong.headers["allow"] == "GET, HEAD"
        told = problem(doors.get("/v1/feed?limit=101", "ann"), 422, "invalid")
        assert told["field"] == "query.limit"
        assert problem(doors.get("/v1/items/a%20b", "ann"), 422, "invalid")["field"] == "path.item"
        problem(doors.client.get("/v1/me"), 401, "unauthorized")
        twice = problem(doors.get("/v1/feed?limit=1&limit=2", "ann"), 422, "invalid")
        assert twice["field"] == "query.limit"

    def test_what_is_wrong_is_said_in_our_words(self, local_doors: Doors) -> None:
        """With what would be right, and without those of the libraries."""
        doors = local_doors
        changing = {"X-Likewave": "1", "Content-Type": "application/json"}
        made = [
            doors.client.post("/v1/dev/token", content=body, headers=changing)
            for body in ("{", "[]", "{}", '{"user": 5}', '{"user": "a b"}')
        ]
        asked = [
            doors.get(path, "ann")
            for path in ("/v1/feed?limit=ten", "/v1/feed?limit=0", "/v1/feed?limit=101")
        ]
        lost = [
            doors.get("/v1/nothing", "ann"),
            doors.client.put("/v1/session"),
            doors.client.put("/v1/feed/stream"),
        ]

        assert [one.json().get("field") for one in made] == [
            *("body", "body", "body.user", "body.user", "body.user")
        ]
        assert [one.json()["detail"] for one in made + asked + lost] == [
            "the body is no JSON",
            "give a JSON object",
            "it is missing",
            *["an id is 1 to 64 of A-Z a-z 0-9 _ -"] * 2,
            "give a whole number",
            "give 1 or more",
            "give 100 or less",
            "there is no /v1/nothing: /docs lists what there is",
            "/v1/session has no PUT: it has POST, DELETE",
            "/v1/feed/stream has no PUT: it has GET",
        ]
        assert lost[1].headers["allow"] == "POST, DELETE"

    def test_a_body_that_is_too_large_is_refused(self, local_doors: Doors) -> None:
        """Whether its size is announced or not, after one MiB there is no more."""
        doors = local_doors
        piece = b" " * 65_536
        body = b'{"user": "ann"}'.ljust(LARGEST_BODY + 1)
        headers = {"X-Likewave": "1", "Content-Type": "application/json"}
        for sent in (body, (piece for _ in range(LARGEST_BODY // len(piece) + 1))):
            answer = doors.client.post("/v1/dev/token", content=sent, headers=headers)
            problem(answer, 413, "too-large")
        fits = doors.client.post("/v1/dev/token", content=body[:-1], headers=headers)
        assert fits.status_code == 200

    @pytest.mark.parametrize("head", [b"a: " + b"b" * 300_000, b"a: b\r\n" * 60_000])
    def test_a_head_that_does_not_end_is_refused(self, doors: Doors, head: bytes) -> None:
        """As one line or as many: the connection is closed before it fills the memory."""
        host, port = doors.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(b"GET /v1/feed HTTP/1.1\r\nHost: ann\r\n")
            with suppress(ConnectionError):
                client.sendall(head)
                assert client.recv(100).startswith(b"HTTP/1.1 400")
                while client.recv(4_096):
                    pass

    def test_a_long_head_is_read_whole(self, doors: Doors) -> None:
        """Cursors are long; and the body begins where the head ends."""
        answer = doors.get("/v1/feed/live", "ann", **{"X-Long": "a" * 60_000})
        assert answer.status_code == 200

    def test_a_mistake_of_ours_is_told_without_its_words(
        self, doors: Doors, settings: Settings
    ) -> None:
        """A key of another kind in the store is no matter for whoever reads."""

        async def damage() -> None:
            async with stores.opened(settings) as feeds:
                await feeds.delete("trending:{0}")
                await feeds.set("trending:{0}", "secret words")

        asyncio.run(damage())
        answer = doors.get("/v1/trending", "ann")
        assert answer.status_code >= 500
        assert "WRONGTYPE" not in answer.text
        assert answer.headers["content-type"] == "application/problem+json"

    def test_a_store_that_is_full_can_be_read(self, doors: Doors, settings: Settings) -> None:
        """Nothing is counted there, so nobody is refused; events get as far as Kafka."""
        with redis.Redis.from_url(settings.redis) as client:
            client.config_set("maxmemory", 1)
            try:
                answers = [doors.get(path, "ann") for path in ("/v1/feed", "/v1/feed/live")]
                like = {"kind": "like", "item": "song"}
                told = doors.client.post("/v1/events", headers=doors.of("ann"), json=like)
            finally:
                client.config_set("maxmemory", 0)

        assert [one.status_code for one in answers] == [200, 200]
        problem(told, 503, "broker-away")

    @pytest.mark.parametrize("path", ["/v1/me", "/v1/feed/live"])
    def test_whoever_asks_too_often_is_told_to_wait(self, doors: Doors, path: str) -> None:
        """One user's limit is no other's, and says when to ask again; feeds are counted, too."""
        headers = doors.of(f"greedy{len(path)}")
        statuses = [
            doors.client.get(path, headers=headers).status_code for _ in range(READS.amount + 5)
        ]
        refused = doors.client.get(path, headers=headers)

        assert statuses[: READS.amount // 2] == [200] * (READS.amount // 2)
        assert 429 in statuses
        problem(refused, 429, "too-many-requests")
        assert doors.get(path, "ann").status_code == 200
        assert 0 < int(refused.headers["retry-after"]) <= 2 * WINDOW_S
        time.sleep(int(refused.headers["retry-after"]))
        assert doors.client.get(path, headers=headers).status_code == 200


async def test_whoever_reads_all_at_once_gets_no_more(settings: Settings) -> None:
    """What is answered before it is counted is little."""
    began = time.monotonic()
    async with stores.opened(settings) as client:
        quotas = Quotas(client)
        reads = [quotas.look("hasty") for _ in range(2 * READS.amount)]
        answers = await asyncio.gather(*reads, return_exceptions=True)
        await quotas.close()
    refilled = READS.amount * (time.monotonic() - began) / WINDOW_S

    assert READS.amount <= answers.count(None) <= READS.amount + AHEAD + refilled
    assert all(one is None or isinstance(one, ProblemError) for one in answers)


def test_a_store_that_was_away_is_found_again(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """Without it the answer is 503 and when to try again; with it, the feed; nothing restarts."""
    live(settings, network())
    with serving(settings, tmp_path) as doors:
        assert doors.get("/v1/feed/live", "ann").status_code == 200
        store.stop()
        for path in ("/v1/feed", "/v1/feed/live", "/v1/trending", "/v1/items/a", "/v1/me"):
            away = doors.get(path, "ann")
            told = problem(away, 503, "store-away")
            assert away.headers["retry-after"] == "1"
            assert str(store.port) not in str(told["detail"])
        told = problem(doors.client.post("/v1/events", headers=doors.of("ann")), 503, "store-away")
        assert "nothing is published" in str(told["detail"])
        problem(doors.client.get("/ready"), 503, "store-away")
        assert doors.client.get("/health").json() == {"status": "ok"}
        store.start()
        assert doors.client.get("/ready").json() == {"status": "ok"}
        assert doors.get("/v1/feed/live", "ann").json()["items"]


def test_the_api_may_start_before_its_store(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """It lives, is not ready, and becomes so when the store comes."""
    store.stop()
    with serving(settings, tmp_path) as doors:
        problem(doors.client.get("/ready"), 503, "store-away")
        store.start()
        live(settings, network())
        assert doors.client.get("/ready").status_code == 200
        assert doors.get("/v1/feed/live", "ann").json()["items"]


def test_feeds_of_another_policy_are_not_read(settings: Settings, tmp_path: Path) -> None:
    """A store that was filled under other numbers is as one that is away."""
    live(settings, network())
    other = settings.model_copy(update={"policy": replace(Policy(), feed_size=50)})
    with serving(other, tmp_path) as doors:
        problem(doors.client.get("/ready"), 503, "store-away")
        problem(doors.get("/v1/feed", "ann"), 503, "store-away")


def test_feeds_that_were_made_anew_under_other_numbers_are_told_from_a_store_that_is_away(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """For as long as the process with the numbers of before is still there."""
    live(settings, network())
    with serving(settings, tmp_path) as doors, redis.Redis.from_url(store.url) as client:
        assert doors.get("/v1/feed", "ann").status_code == 200
        client.hset("policy:{0}", mapping={"shards": settings.shards + 1, "mark": "another"})
        for path in ("/v1/feed", "/v1/feed/live"):
            told = doors.get(path, "ann")
            problem(told, 503, "rebuilt")
            assert told.headers["retry-after"] == "1"


class TestHeaders:
    """What browsers are told."""

    @pytest.mark.parametrize("path", ["/v1/me", "/v1/nothing", "/docs", "/openapi.json", "/health"])
    def test_every_answer_is_safe_in_a_browser(self, doors: Doors, path: str) -> None:
        """No foreign script, no frame, no guess of types, no referrer: errors too."""
        answer = doors.client.get(path)
        headers = answer.headers

        assert answer.status_code in {200, 401, 404}
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"

    def test_the_contract_for_people_needs_nobody_else(self, doors: Doors) -> None:
        """The page names every endpoint, and loads one style sheet of its own and no script."""
        page = doors.client.get("/docs").text
        contract = doors.client.get("/openapi.json").json()
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"(.*?)\"", page)

        assert all(f" {path}<" in page for path in contract["paths"])
        assert len(loaded) == 1
        assert doors.client.get(loaded[0]).headers["content-type"].startswith("text/css")

    def test_what_is_the_callers_own_is_shared_with_nobody(self, doors: Doors) -> None:
        """No cache between may keep it, and a browser asks each time."""
        headers = doors.get("/v1/feed", "ann").headers
        assert headers["cache-control"] == "private, no-cache"
        assert "Authorization" in headers["vary"]

    def test_only_listed_origins_may_call(self, settings: Settings, tmp_path: Path) -> None:
        """A page of a listed origin may send a token, one of another may not; errors too."""
        listed = settings.model_copy(update={"api_origins": "https://a.example,https://b.example"})
        live(settings, network())
        with serving(listed, tmp_path) as doors:
            for origin, allowed in [
                ("https://b.example", "https://b.example"),
                ("https://c.example", None),
                ("https://a.example.c.example", None),
                ("null", None),
            ]:
                asked = {
                    "Origin": origin,
                    "Access-Control-Request-Method": "GET",
                    "Access-Control-Request-Headers": "authorization",
                }
                preflight = doors.client.options("/v1/feed", headers=asked)
                assert preflight.headers.get("access-control-allow-origin") == allowed
                refused = doors.client.get("/v1/feed", headers={"Origin": origin})
                assert refused.headers.get("access-control-allow-origin") == allowed
                assert "access-control-allow-credentials" not in refused.headers

    def test_without_a_list_no_origin_may(self, doors: Doors) -> None:
        """By default nothing is shared."""
        answer = doors.get("/v1/feed", "ann", Origin="https://a.example")
        assert "access-control-allow-origin" not in answer.headers


class TestLocalStack:
    """What is there for development alone."""

    def test_anybody_may_look_as_anybody(self, settings: Settings, tmp_path: Path) -> None:
        """In a local stack a token of anybody is given, to this origin; elsewhere there is none."""
        live(settings, network())
        body, changing = {"user": "bob"}, {"X-Likewave": "1"}
        with serving(settings, tmp_path, local=True) as doors:
            given = doors.client.post("/v1/dev/token", json=body, headers=changing).json()
            told = doors.client.get("/v1/me", headers=bearing(given["token"])).json()
            assert told["user"] == "bob"
            assert doors.client.post("/v1/dev/token", json=body).status_code == 422
            rebound = {**changing, "Host": f"evil.example:{doors.url.rpartition(':')[2]}"}
            foreign = doors.client.post("/v1/dev/token", json=body, headers=rebound)
            problem(foreign, 403, "forbidden")
            wrong = doors.client.post("/v1/dev/token", json={"user": "a b"}, headers=changing)
            assert problem(wrong, 422, "invalid")["field"] == "body.user"
        with serving(settings, tmp_path) as doors:
            elsewhere = doors.client.post("/v1/dev/token", json=body, headers=changing)
            problem(elsewhere, 404, "not-found")


class TestCommands:
    """`likewave api` and `likewave token`."""

    def test_the_api_refuses_to_start_without_keys(self, tmp_path: Path) -> None:
        """One line says which setting is missing."""
        assert "LIKEWAVE_API_KEYS" in complaint(run("api", folder=tmp_path))

    def test_a_token_is_signed_by_a_local_stack_alone(self, tmp_path: Path) -> None:
        """Where none runs there is nothing to sign with."""
        assert "likewave up" in complaint(run("token", "ann", folder=tmp_path))

    def test_the_api_serves_until_it_is_told_to_stop(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        """With keys of one's own it listens on the port that is set, and ends at SIGTERM by 0."""
        live(settings, network())
        port = free_port()
        with api_process(settings, tmp_path, port) as process:
            answer = eventually(f"http://{HOST}:{port}/ready")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert answer == {"status": "ok"}

    def test_a_taken_port_is_said_in_a_line(self, settings: Settings, tmp_path: Path) -> None:
        """What is in the way, and which settings name another."""
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            with api_process(settings, tmp_path, port) as process:
                _, said = process.communicate(timeout=20)
        assert process.returncode == 1
        assert f"cannot listen on {HOST}:{port}" in said
        assert "Traceback" not in said


@contextmanager
def api_process(settings: Settings, folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run `likewave api` with keys of its own."""
    known = with_keys(settings, folder)
    assert known.api_secret is not None
    given = {
        "LIKEWAVE_API_KEYS": str(known.api_keys),
        "LIKEWAVE_API_SECRET": known.api_secret.get_secret_value(),
        "LIKEWAVE_API_PORT": str(port),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "api"],
        cwd=folder,
        env=environment(settings) | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def eventually(url: str) -> object:
    """Read a URL once something answers there."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return httpx.get(url).json()
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_stack_has_an_api_that_its_commands_find(tmp_path: Path, broker: Broker) -> None:
    """`likewave up` says where the page is; `config` leads there, `token` lets in."""
    del broker  # a machine on which no broker can run skips here
    with start("up", "--workers", "0", folder=tmp_path) as up:
        assert up.stdout is not None
        lines = [up.stdout.readline(), up.stdout.readline()]
        found = json.loads(run("config", "--json", folder=tmp_path).stdout)
        token = run("token", "ann", "--operator", folder=tmp_path).stdout.strip()
        told = httpx.get(f"{found['api_url']}/health").json()
        secret = next(one for one in found["settings"] if one["name"] == "api_secret")
        up.send_signal(signal.SIGINT)
        up.communicate()

    assert f"page and API {found['api_url']}/" in lines[1]
    assert told == {"status": "ok"}
    assert token.count(".") == 2
    assert set(secret["value"]) == {"*"}
    assert up.returncode == 0
    for name in ("api-key.json", "api-secret"):
        assert (tmp_path / ".likewave" / name).stat().st_mode & 0o077 == 0
