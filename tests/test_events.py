"""The contract: what each kind may say, under which key it travels, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from models import events
from models.decoding import Reject, decode
from models.errors import EventError
from models.events import (
    KINDS,
    TOPICS,
    Befriend,
    Block,
    Erase,
    Event,
    Favor,
    Follow,
    Hide,
    Like,
    Mute,
    Post,
    Share,
    Takedown,
    Unblock,
    Unfavor,
    Unfollow,
    Unfriend,
    Unhide,
    Unlike,
    Unmute,
    Unshare,
    View,
)

NOON = 1_790_000_000_000
ACT = {"user": "ann", "item": "a", "at": NOON}
EDGE = {"user": "bob", "friend": "ann", "at": NOON}
STANCE = {"user": "bob", "other": "ann", "at": NOON}
ALL: list[tuple[Event, str, str]] = [
    (Like(**ACT, since=1), "likes", "ann"),
    (Unlike(**ACT), "likes", "ann"),
    (View(**ACT, dwell_ms=1, completion=0.5, since=1), "views", "ann"),
    (Share(**ACT, to=["bob", "cat"], since=1), "shares", "ann"),
    (Unshare(**ACT, to=["bob"]), "shares", "ann"),
    (Befriend(**EDGE), "friendships", "friend|ann|bob"),
    (Unfriend(**EDGE), "friendships", "friend|ann|bob"),
    (Follow(**EDGE), "friendships", "follow|bob|ann"),
    (Unfollow(**EDGE), "friendships", "follow|bob|ann"),
    (Post(**ACT, topics=["x", "y"], since=1), "posts", "post|ann|a"),
    (Takedown(item="a", at=NOON), "posts", "takedown|a"),
    (Hide(**ACT), "preferences", "hide|ann|a"),
    (Unhide(**ACT), "preferences", "hide|ann|a"),
    (Block(**STANCE), "preferences", "block|bob|ann"),
    (Unblock(**STANCE), "preferences", "block|bob|ann"),
    (Mute(**STANCE), "preferences", "mute|bob|ann"),
    (Unmute(**STANCE), "preferences", "mute|bob|ann"),
    (Favor(**STANCE), "preferences", "favor|bob|ann"),
    (Unfavor(**STANCE), "preferences", "favor|bob|ann"),
    (Erase(user="ann", at=NOON), "preferences", "erase|ann"),
]


def records(values: list[bytes]) -> list[SimpleNamespace]:
    """Give values as records of a broker."""
    return [
        SimpleNamespace(offset=offset, timestamp=NOON, key=None, value=value)
        for offset, value in enumerate(values)
    ]


@pytest.mark.parametrize(("event", "topic", "key"), ALL, ids=lambda one: getattr(one, "kind", ""))
def test_every_kind_travels_and_is_keyed_as_the_contract_says(
    event: Event, topic: str, key: str
) -> None:
    """What is encoded is decoded as it was; registers that are compacted are their own keys."""
    assert events.decode(events.encode(event)) == event
    assert (event.topic, event.key) == (topic, key)


def test_every_kind_is_here() -> None:
    """No kind of the contract goes untested."""
    assert {event.kind for event, _, _ in ALL} == set(KINDS)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_kinds_of_a_topic_are_decoded_together(topic: str) -> None:
    """One batch may hold all kinds of its topic, and none of another; ids are checked in all."""
    own = [event for event, where, _ in ALL if where == topic]
    decoded = decode(topic, records([events.encode(event) for event in own] * 9))
    others = [events.encode(event) for event, where, _ in ALL if where != topic]
    spoilt = [events.encode(event).replace(b'"a', b'"a b', 1) for event in own]

    assert decoded.events == own * 9
    assert not decoded.rejects
    assert not decode(topic, records(others)).events
    assert len(decode(topic, records(spoilt)).rejects) == len(spoilt)


@pytest.mark.parametrize(
    ("value", "path", "complaint"),
    [
        (b'{"kind":"block","at":1,"user":"a","other":"a"}', "$.other", "act on themselves"),
        (b'{"kind":"favor","at":1,"user":"a","other":"a"}', "$.other", "act on themselves"),
        (b'{"kind":"share","at":1,"user":"a","item":"b","to":["c","a"]}', "$.to[1]", "themselves"),
        (b'{"kind":"mute","at":1,"user":"a","other":"b c"}', "$.other", "an id is"),
        (b'{"kind":"mute","at":1,"user":"a"}', "$.other", "`other` is missing"),
        (b'{"kind":"hide","at":1,"user":"a","item":""}', "$.item", "an id is"),
        (
            b'{"kind":"post","at":1,"user":"a","item":"b","topics":["c","d\\n"]}',
            "$.topics[1]",
            "id",
        ),
        (
            b'{"kind":"post","at":1,"user":"a","item":"b","topics":["1","2","3","4","5","6","7","8","9"]}',
            "$.topics",
            "length <= 8",
        ),
        (b'{"kind":"takedown","at":1,"item":7}', "$.item", "Expected `str`"),
        (b'{"kind":"erase","at":1,"user":"a|b"}', "$.user", "an id is"),
        (b'{"kind":"like","at":1,"user":"a","item":"b","since":0}', "$.since", ">= 1"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_path(
    value: bytes, path: str, complaint: str
) -> None:
    """One by one and in a batch alike, with the field that is wrong."""
    with pytest.raises(EventError, match=complaint) as caught:
        events.decode(value)
    topic = KINDS[value.split(b'"')[3].decode()].topic
    (reject,) = decode(topic, records([value])).rejects

    assert caught.value.path == path
    assert isinstance(reject, Reject)
    assert reject.path == path


def test_a_topic_may_be_named_as_the_author_is() -> None:
    """Nobody acts on a topic, so an author's own name is one as any other."""
    post = Post(user="ann", item="ann", topics=["ann"], at=NOON)

    assert decode("posts", records([events.encode(post)])).events == [post]


def test_what_is_not_known_is_ignored() -> None:
    """Fields of later versions do no harm, nor does the name of whoever took an item down."""
    value = b'{"kind":"takedown","at":1,"item":"a","user":"moderator 7","why":"spam"}'

    assert events.decode(value) == Takedown(item="a", at=1)
