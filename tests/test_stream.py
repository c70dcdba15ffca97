"""The stream over HTTP: what it says makes the live feed, and it ends when it should."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
import uvicorn

from models import events
from streams import api_metrics, stream_api
from streams.api import application
from streams.clock import now_ms
from streams.keys import LOCAL_KEY, Signer, make_local
from streams.screens import CYCLE_S
from streams.serve import configuration
from tests.feeder import Feeder, feeding
from tests.hostile import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI

    from streams.settings import Settings

SOON_S = 10.0


@asynccontextmanager
async def listening(application: FastAPI) -> AsyncIterator[socket.socket]:
    """Serve an application on a free port, with small buffers, in this process."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(configuration(application, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        yield listener
        application.state.screens.stop()
        server.should_exit = True
        await serving


class Site:
    """An API with ann and bob, who are friends."""

    def __init__(self, feeder: Feeder, app: FastAPI, signer: Signer, address: Any) -> None:
        self.feeder = feeder
        self.app = app
        self._signer = signer
        self.address = address
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{address[1]}", timeout=SOON_S)
        self._carried: dict[tuple[str, int], int] = {}

    async def lives(self, *happened: events.Event) -> None:
        """Let things happen."""
        self.feeder.append(happened)
        for source, log in self.feeder.log.items():
            if (begin := self._carried.get(source, 0)) < len(log):
                await self.feeder.carry(source, begin, len(log))
                self._carried[source] = len(log)

    def headers(self, user: str, *, seconds: float = 600) -> dict[str, str]:
        """Give what a request of `user` carries."""
        token = self._signer.token(user, now=now_ms(), minutes=seconds / 60)
        return {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def stream(
        self, user: str, *, known: str | None = None, seconds: float = 600, limit: int = 20
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open a stream; give what it says, each with its `event` and `id`."""
        headers = self.headers(user, seconds=seconds)
        if known is not None:
            headers["Last-Event-ID"] = known
        path = f"/v1/feed/stream?limit={limit}"
        async with self.client.stream("GET", path, headers=headers) as answer:
            answer.raise_for_status()
            yield _events(answer)


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        if "data" in fields:
            yield {**json.loads(fields["data"]), "event": fields["event"], "id": fields.get("id")}
        fields = {}


@pytest.fixture
async def site(settings: Settings, tmp_path: Path) -> AsyncIterator[Site]:
    """Give an API on a store of its own."""
    keyed = settings.model_copy(update=make_local(tmp_path))
    key = jwt.PyJWK(json.loads((tmp_path / LOCAL_KEY).read_bytes()))
    signer = Signer(key, keyed.api_issuer, keyed.api_audience)
    app = application(keyed)
    async with feeding(settings) as feeder, listening(app) as listener:
        one = Site(feeder, app, signer, listener.getsockname())
        await one.lives(events.Befriend(user="ann", friend="bob", at=NOON))
        async with one.client:
            yield one


def likes(first: int, count: int) -> list[events.Event]:
    """Let ann like songs, each a moment after the one before."""
    return [
        events.Like(user="ann", item=f"song{number}", at=NOON + number)
        for number in range(first, first + count)
    ]


def applied(feed: list[dict[str, Any]], change: dict[str, Any]) -> list[dict[str, Any]]:
    """Make the new feed, as docs/push.md tells browsers to."""
    out = {*change["gone"], *(entry["item"] for entry in change["moved"])}
    changed = {entry["item"]: entry for entry in change["changed"]}
    feed = [changed.get(entry["item"], entry) for entry in feed if entry["item"] not in out]
    for entry in sorted(change["moved"] + change["new"], key=lambda one: one["place"]):
        feed.insert(entry["place"], {name: entry[name] for name in entry if name != "place"})
    return feed


async def test_what_a_stream_says_makes_the_live_feed(site: Site) -> None:
    """Acts, an unlike and a late post, applied as they are told, give what /v1/feed/live gives."""
    happened: list[list[events.Event]] = [
        likes(0, 3),
        [events.Share(user="ann", item="song1", at=NOON + 100)],
        [events.Unlike(user="ann", item="song0", at=NOON + 101)],
        [events.Post(user="cat", item="song2", topics=["jazz"], at=NOON - 1)],
        likes(3, 30),
        [events.Block(user="bob", other="ann", at=NOON + 102)],
    ]
    async with asyncio.timeout(SOON_S), site.stream("bob") as told:
        first = await anext(told)
        feed = first["items"]
        assert (first["event"], feed) == ("feed", [])
        for several in happened:
            await site.lives(*several)
            answer = await site.client.get("/v1/feed/live", headers=site.headers("bob"))
            live = answer.json()
            while True:
                change = await anext(told)
                feed = applied(feed, change)
                assert (change["event"], change["id"]) == ("change", change["version"])
                if change["version"] == live["version"]:
                    break

            assert _timeless(feed) == _timeless(live["items"])


def _timeless(feed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: entry[name] for name in entry if name != "strength"} for entry in feed]


async def test_whoever_comes_back_with_the_present_version_is_told_only_of_changes(
    site: Site,
) -> None:
    """With Last-Event-ID the feed is told again only where it is another by now."""
    async with asyncio.timeout(SOON_S):
        async with site.stream("bob") as told:
            version = (await anext(told))["version"]
        async with site.stream("bob", known=version) as told:
            await site.lives(*likes(0, 1))
            assert (await anext(told))["event"] == "change"
        async with site.stream("bob", known=version) as told:
            again = await anext(told)

    assert (again["event"], [entry["item"] for entry in again["items"]]) == ("feed", ["song0"])


async def test_a_stream_ends_when_its_token_expires(site: Site) -> None:
    """The last word is `end`, and nothing that happens later is told."""
    async with asyncio.timeout(SOON_S), site.stream("bob", seconds=2) as told:
        said = [one["event"] async for one in told]

    assert said == ["feed", "end"]


async def test_a_server_that_stops_says_so(site: Site) -> None:
    """Streams end with a word, so that readers come back at once."""
    async with asyncio.timeout(SOON_S), site.stream("bob") as told:
        await anext(told)
        site.app.state.screens.stop()

        assert await anext(told) == {"reason": "stopping", "event": "end", "id": None}


async def test_one_user_has_so_many_streams_and_no_more(site: Site) -> None:
    """One too many is refused with a problem, and there is room again when one is closed."""
    screens = site.app.state.screens
    watches = [await screens.open("bob", 1) for _ in range(stream_api.MOST_OF_USER)]
    answer = await site.client.get("/v1/feed/stream", headers=site.headers("bob"))
    screens.close(watches.pop())
    async with asyncio.timeout(SOON_S), site.stream("bob") as told:
        await anext(told)

    assert (answer.status_code, answer.json()["type"]) == (429, "urn:likewave:too-many-requests")
    assert answer.headers["retry-after"] == "15"


async def test_what_nobody_takes_is_read_once(site: Site) -> None:
    """However much happens meanwhile; and whoever takes it is shown the rest."""
    screens = site.app.state.screens
    watch = await screens.open("bob", 5)
    with watch:
        await watch.next()
        await site.lives(*likes(0, 1))
        async with asyncio.timeout(SOON_S):
            while not watch.is_behind:
                await asyncio.sleep(0.01)
        before = await readings(site)
        for number in range(1, 9):
            await site.lives(*likes(number, 1))
            await asyncio.sleep(2 * CYCLE_S)

        assert await readings(site) == before
        shown = [(await watch.next()).entries[0].item, (await watch.next()).entries[0].item]
        assert shown == ["song0", "song8"]


async def test_nothing_is_read_for_a_stream_that_takes_nothing(site: Site) -> None:
    """Another stream of the user goes on by its own limit, and the slow one is shown the rest."""
    screens = site.app.state.screens
    fast, slow = await screens.open("bob", 1), await screens.open("bob", 5)
    with fast, slow:
        await fast.next()
        await slow.next()
        shown = []
        for number in range(4):
            await site.lives(*likes(number, 1))
            async with asyncio.timeout(SOON_S):
                shown.append(await fast.next())
        late = [await slow.next(), await slow.next()]

    assert [[one.item for one in feed.entries] for feed in shown] == [
        [f"song{number}"] for number in range(4)
    ]
    assert [feed.entries[0].item for feed in late] == ["song0", "song3"]
    assert len(late[1].entries) == min(5, len(late[0].entries) + 3)


async def readings(site: Site) -> int:
    """Count what the store was asked for in shard functions that write nothing."""
    stats: Any = await site.feeder.store.info("commandstats")
    return int(stats.get("cmdstat_fcall_ro", {"calls": 0})["calls"])


async def test_a_reader_who_takes_nothing_is_dropped_and_others_are_served(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow reader's stream is closed and counted; the others are told of everything."""
    monkeypatch.setattr(stream_api, "SLOWEST_S", 0.3)
    screens = site.app.state.screens
    counted = api_metrics.slow_readers.collect()[0].samples[0].value
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect(site.address)
        head = [f"{name}: {value}" for name, value in site.headers("bob").items()]
        lines = ["GET /v1/feed/stream?limit=120 HTTP/1.1", "Host: localhost", *head, "", ""]
        slow.sendall("\r\n".join(lines).encode())
        async with asyncio.timeout(3 * SOON_S), site.stream("bob") as told:
            number = 0
            while not screens.dropped:
                await site.lives(*likes(number, 100))
                number += 100
            await site.lives(*likes(number, 1))
            feed: list[dict[str, Any]] = []
            async for one in told:
                feed = one["items"] if one["event"] == "feed" else applied(feed, one)
                if feed and feed[0]["item"] == f"song{number}":
                    break

            assert (screens.dropped, screens.of("bob")) == (1, 1)
            assert api_metrics.slow_readers.collect()[0].samples[0].value == counted + 1
