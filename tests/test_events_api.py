"""The door of events: whose they are, all or none, and only once Kafka has acknowledged."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from models.events import KINDS, TOPICS, decode, encode
from models.policy import DAY
from models.submission import MOST
from streams import api, contract, topics
from streams.clock import now_ms
from tests.doors import Doors, serving
from tests.test_producer import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from models.events import Event
    from streams.local import Broker
    from streams.settings import Settings

NOON = 1_790_000_000_000
LIKE = {"kind": "like", "item": "song"}
CLOUD = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/app", "ce-type": "likewave.like"}


@pytest.fixture
def doors(settings: Settings, tmp_path: Path) -> Iterator[Doors]:
    """Serve with topics to publish to."""
    asyncio.run(topics.ensure(settings))
    with serving(settings, tmp_path) as doors:
        yield doors


def post(
    doors: Doors, body: Any, *, user: str = "ann", operator: bool = False, **headers: str
) -> httpx.Response:
    """Hand in what is JSON, or bytes as they are."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return doors.client.post(
        "/v1/events",
        content=body if isinstance(body, bytes) else json.dumps(body),
        headers={
            "Authorization": f"Bearer {doors.token(user, operator=operator)}",
            "Content-Type": "application/json",
            **named,
        },
    )


def log_of(settings: Settings, *of: str) -> list[Event]:
    """Read back what was published to some topics."""
    return [decode(one.value) for one in asyncio.run(read(settings, *of))]


def ends(settings: Settings) -> int:
    """Count all records of all topics."""
    bounds = asyncio.run(topics.log_bounds(settings))
    return sum(end for _, end in bounds.values())


def test_the_caller_acts_and_acts_now_unless_more_is_said(doors: Doors, settings: Settings) -> None:
    """User and moment may be left out; what is given is kept, and what is unknown ignored."""
    before = now_ms()
    given = [LIKE, {**LIKE, "user": "ann", "at": NOON, "colour": "red"}]
    answers = [post(doors, one) for one in given]
    first, second = log_of(settings, "likes")

    assert [(one.status_code, one.json()) for one in answers] == [
        (200, {"results": [{"status": "acknowledged"}]})
    ] * 2
    assert (first.accounts, before <= first.at <= now_ms()) == (("ann",), True)
    assert (second.accounts, second.at) == (("ann",), NOON)


def test_a_list_of_all_kinds_is_published_whole(doors: Doors, settings: Settings) -> None:
    """An operator may hand in every kind, of any user; each has its result."""
    events = [contract.example(kind) for kind in KINDS.values()]
    body = b"[%s]" % b",".join(encode(event) for event in events)
    answer = post(doors, body, user="server", operator=True)

    assert answer.json() == {"results": [{"status": "acknowledged"}] * len(KINDS)}
    assert {event.kind for event in log_of(settings, *TOPICS)} == set(KINDS)


REFUSED: list[tuple[Any, str, str]] = [
    ({**LIKE, "user": "bob"}, "$.user", "leave it out, or give ann"),
    ({**LIKE, "user": None}, "$.user", "Expected `str`, got `null`"),
    ({**LIKE, "item": "a b"}, "$.item", "an id is 1 to 64"),
    ({**LIKE, "at": now_ms() + DAY}, "$.at", "in the future"),
    ({**LIKE, "at": NOON // 1000}, "$.at", "is before 2000: give milliseconds"),
    ({"kind": "like"}, "$.item", "`item` is missing"),
    ({"kind": "love", "item": "song"}, "$.kind", "Invalid value 'love'"),
    ({"item": "song"}, "$.kind", "`kind` is missing"),
    ({"kind": "befriend", "friend": "bob"}, "$.kind", "only an operator"),
    ({"kind": "takedown", "item": "song"}, "$.kind", "only an operator"),
    ({"kind": "post", "item": "song", "at": NOON}, "$.at", "only an operator may post in the past"),
    ({"kind": "block", "other": "ann"}, "$.other", "cannot act on themselves"),
    ({"kind": "share", "item": "song", "to": ["bob", "ann"]}, "$.to[1]", "themselves"),
    ({**LIKE, "item": "x" * 70_000}, "$", "longer than an event may be"),
    ("song", "$", "Expected `object`, got `str`"),
    (b"{", "$", "it is empty, or ends in the middle"),
    (rb'{"kind":"like","item":"a","x":"\ud800"}', "$", "half of a surrogate pair"),
    (b"", "$", "it is empty, or ends in the middle"),
    (b"[", "$", "it is empty, or ends in the middle"),
    (b"[" * 100_000, "$", "nested too deeply"),
    (b"\xff", "$", "invalid character"),
    ([], "$", "a list has 1 to 1,000 events, got 0"),
    ([LIKE] * (MOST + 1), "$", "a list has 1 to 1,000 events, got 1,001"),
]


def test_what_breaks_the_contract_is_refused_with_the_field(
    doors: Doors, settings: Settings
) -> None:
    """The problem names the field and says what is wrong; nothing is published."""
    for body, field, reason in REFUSED:
        answer = post(doors, body)
        problem = answer.json()

        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, problem["field"]) == (422, field), problem
        assert reason.lower() in problem["detail"].lower()
    assert ends(settings) == 0


def test_how_old_an_account_is_the_token_says(doors: Doors, settings: Settings) -> None:
    """What an event says of it counts from an operator only."""
    claimed = {**LIKE, "since": 7}
    answers = [post(doors, claimed), post(doors, {**claimed, "user": "bob"}, operator=True)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {one.accounts[0]: one.since for one in log_of(settings, "likes")} == {
        "ann": None,
        "bob": 7,
    }


def test_of_a_list_with_a_bad_event_nothing_is_published(doors: Doors, settings: Settings) -> None:
    """Each event has its result, and the problem is that of the first bad one."""
    answer = post(doors, [LIKE, {**LIKE, "item": ""}, LIKE, {**LIKE, "user": "bob"}])
    problem = answer.json()

    assert (answer.status_code, problem["field"]) == (422, "$[1].item")
    assert [one["status"] for one in problem["results"]] == [
        *("valid", "rejected", "valid", "rejected")
    ]
    assert [one.get("field") for one in problem["results"]] == [
        *(None, "$[1].item", None, "$[3].user")
    ]
    assert ends(settings) == 0


def test_a_cloud_event_says_kind_and_moment_in_its_headers(
    doors: Doors, settings: Settings
) -> None:
    """In binary mode: the type is the kind, the time the moment, and the body has the rest."""
    published = [
        post(doors, {"item": "song"}, **CLOUD, **{"ce-time": "2026-01-01T01:00:00.25+01:00"}),
        post(doors, LIKE, **CLOUD),
    ]
    first, second = log_of(settings, "likes")

    assert [answer.status_code for answer in published] == [200, 200]
    assert (first.kind, first.at) == ("like", 1_767_225_600_250)
    assert second.at > first.at


NO_CLOUD: list[tuple[dict[str, str], Any, str]] = [
    ({"ce-specversion": "0.3"}, LIKE, "header.ce-specversion"),
    ({"ce-id": ""}, LIKE, "header.ce-id"),
    ({"ce-type": "like"}, LIKE, "header.ce-type"),
    ({"ce-type": "likewave.love"}, LIKE, "header.ce-type"),
    ({"ce-time": "yesterday"}, LIKE, "header.ce-time"),
    ({"ce-time": "2026-01-01T01:00:00"}, LIKE, "header.ce-time"),
    ({"ce-time": "0001-01-01T00:00:00+23:59"}, LIKE, "$.at"),
    ({"ce-type": "likewave.unlike"}, LIKE, "$.kind"),
    ({}, [LIKE], "$"),
]


def test_what_is_no_cloud_event_is_refused_with_the_header(
    doors: Doors, settings: Settings
) -> None:
    """Other versions, other types and times without a zone are named, and nothing is published."""
    for headers, body, field in NO_CLOUD:
        answer = post(doors, body, **{**CLOUD, **headers})
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.json()
    assert ends(settings) == 0


def test_only_json_is_read(doors: Doors) -> None:
    """Another type of body is named as such: forms of other pages come to nothing, too."""
    for sent in ("text/plain", "application/x-www-form-urlencoded", "application/cloudevents+json"):
        answer = post(doors, LIKE, **{"Content-Type": sent})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:likewave:media-type")
    assert post(doors, LIKE, **{"Content-Type": "application/json; charset=utf-8"}).is_success


def test_a_user_may_not_publish_without_end(doors: Doors) -> None:
    """Lists count by their events; an operator's, who speaks for many, do not."""
    full = [LIKE] * MOST
    answers = [post(doors, full).status_code for _ in range(4)]

    assert answers == [200, 200, 429, 429]
    assert [post(doors, full, operator=True).status_code for _ in range(4)] == [200] * 4


def test_who_leaves_in_the_middle_of_a_body_is_no_mistake(
    doors: Doors, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it is published, nothing is logged, and others are answered."""
    head = {**doors.of("ann"), "Content-Type": "application/json", "Content-Length": "100"}
    lines = [
        "POST /v1/events HTTP/1.1",
        "Host: likewave",
        *(f"{name}: {value}" for name, value in head.items()),
    ]
    host, port = doors.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*lines, "", json.dumps(LIKE)]).encode())
    answer = post(doors, {**LIKE, "item": "film"})

    assert answer.status_code == 200
    assert [event.item for event in log_of(settings, "likes")] == ["film"]  # type: ignore[attr-defined]
    assert "mistake" not in "".join(capsys.readouterr())


class TestOutage:
    """What callers are told while Kafka is away."""

    @pytest.fixture
    def broker(self, own_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Broker:
        """Have a broker that may be killed, and an API that waits for it a second."""
        monkeypatch.setattr(api, "PUBLISHED_S", 1.0)
        return own_broker

    def test_kafka_away_is_503_and_its_return_needs_no_restart(
        self, broker: Broker, doors: Doors, settings: Settings
    ) -> None:
        """The answer says to try again; tried again once Kafka is back, it is published."""
        assert post(doors, LIKE).status_code == 200
        broker.kill()
        for _ in range(2):
            answer = post(doors, {**LIKE, "item": "film"})
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:likewave:broker-away")
            assert answer.headers["retry-after"] == "1"
        assert post(doors, {**LIKE, "item": ""}).status_code == 422
        broker.start()

        assert post(doors, {**LIKE, "item": "poem"}).status_code == 200
        assert {event.accounts for event in log_of(settings, "likes")} == {("ann",)}
