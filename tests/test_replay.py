"""Replay: everything that was checked is published, in order and at its pace; nothing half-done."""

from __future__ import annotations

import asyncio
import codecs
import gzip
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer

from models.errors import BrokerError, InputError, SettingsError
from models.events import TOPICS, Befriend, Event, Follow, Like, View, decode, encode
from models.policy import DAY, HOUR
from streams.clock import now_ms
from streams.producer import Counts
from streams.replay import Replayed, ReplayOptions, parse_meanings, parse_speed, replay
from streams.topics import check, log_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.local import Broker
    from streams.progress import Progress
    from streams.settings import Settings

NOON = 1_290_000_000_000
DATASETS = Path("../shared/datasets")


def likes(count: int, step_ms: int = 1) -> list[Event]:
    """Make likes of one user at even steps."""
    return [
        Like(at=NOON + number * step_ms, user="ann", item=str(number)) for number in range(count)
    ]


def lines(events: Sequence[Event]) -> bytes:
    """Write events as JSON lines."""
    return b"".join(encode(event) + b"\n" for event in events)


def dataset(folder: Path, interactions: str, friends: str = "") -> Path:
    """Write a data set folder."""
    for name, text in (
        ("interactions.csv.gz", "ts,user,item,kind\n" + interactions),
        ("friends.csv.gz", "user,friend\n" + friends),
    ):
        with gzip.open(folder / name, "wt") as file:
            file.write(text)
    return folder


async def run(settings: Settings, path: Path | str, *maps: str, **options: object) -> Replayed:
    """Replay without looking."""
    meanings = parse_meanings(maps)
    chosen = ReplayOptions(path=str(path), meanings=meanings, **options)  # type: ignore[arg-type]
    return await replay(settings, chosen, lambda _: None)


async def published(settings: Settings) -> list[Event]:
    """Read all topics, partition by partition."""
    consumer = AIOKafkaConsumer(
        *map(settings.topic, TOPICS),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
    )
    left = sum(end for _, end in (await log_bounds(settings)).values())
    records = []
    await consumer.start()
    while left > len(records):
        for taken in (await consumer.getmany(timeout_ms=5_000)).values():
            records.extend(taken)
    await consumer.stop()
    records.sort(key=lambda record: (record.topic, record.partition, record.offset))
    return [decode(record.value) for record in records]


async def is_untouched(settings: Settings) -> bool:
    """Tell whether nothing was published, and not even a topic made."""
    return not any(state.exists for state in await check(settings))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("partitions", [1])
async def test_a_file_is_published_whole_and_in_its_order(
    settings: Settings, tmp_path: Path, pack: type[bytes]
) -> None:
    """Packed or not, with blank lines and without a newline at the end; all acknowledged."""
    path = tmp_path / ("events.jsonl.gz" if pack is gzip.compress else "events.jsonl")
    events = likes(12_000)[::-1]
    path.write_bytes(pack(b"\n" + lines(events).replace(b"}\n", b"}\n\n", 1).rstrip()))
    done = await run(settings, path)

    assert done.counts == Counts(12_000, 12_000)
    assert await published(settings) == events


async def test_what_happened_long_ago_can_end_now(settings: Settings, tmp_path: Path) -> None:
    """All moments move by as much, so that the last one is that of the replay."""
    path = tmp_path / "events.jsonl"
    newcomer = Like(at=NOON + 5, user="new", item="b", since=NOON - 10)
    path.write_bytes(lines([*likes(3, step_ms=9), newcomer]))
    before = now_ms()
    await run(settings, path, ends_now=True)
    found = {event.at: event for event in await published(settings)}
    last = max(found)

    assert before <= last <= now_ms()
    assert [at - last for at in sorted(found)] == [-18, -13, -9, 0]
    assert found[last - 13].since == last - 28


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (b'{"kind":"like"', "events.jsonl:3: it is empty, or ends in the middle"),
        (b"hello", "events.jsonl:3: JSON is malformed: invalid character (byte 0) (at $)"),
        (b'{"kind":"like","at":1,"user":"ann"}', "`item` is missing (at $.item)"),
        (b'{"kind":"like","at":"x","user":"ann","item":"a"}', "got `str` (at $.at)"),
        (b'{"kind":"like","at":1,"user":"a b","item":"a"}', "got 'a b' (at $.user)"),
        (b'{"kind":"poke","at":1,"user":"ann","item":"a"}', "Invalid value 'poke' (at $.kind)"),
        (b'{"kind":"befriend","at":1,"user":"a","friend":"a"}', "themselves (a) (at $.friend)"),
        (b'{"kind":"like","at":%d,"user":"a","item":"a"}' % (2**51), "in the future (at $.at)"),
        (b'"%s"' % (b"x" * 70_000), "longer than an event may be (65536 bytes)"),
    ],
)
async def test_a_bad_line_stops_a_replay_before_it_begins(
    settings: Settings, tmp_path: Path, bad: bytes, complaint: str
) -> None:
    """The message names file, line and field; nothing is published, no topic made."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(likes(2)) + bad + b"\n" + lines(likes(2)))

    with pytest.raises(InputError) as caught:
        await run(settings, path)

    assert str(caught.value).startswith(f"{path}:3: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert await is_untouched(settings)


async def test_a_file_cut_short_is_refused_whole(settings: Settings, tmp_path: Path) -> None:
    """A download that broke off is noticed before anything of it is published."""
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(lines(likes(10_000)))[:-100])

    with pytest.raises(InputError, match=r"events.jsonl.gz is cut short or damaged .*: fetch"):
        await run(settings, path)
    assert await is_untouched(settings)


async def test_a_file_that_is_not_compressed_is_told_from_a_damaged_one(
    settings: Settings, tmp_path: Path
) -> None:
    """Its name alone is wrong."""
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(lines(likes(2)))

    with pytest.raises(InputError, match=r"gz is not compressed: .* without the .gz"):
        await run(settings, path)


async def test_a_byte_order_mark_is_no_part_of_an_event(settings: Settings, tmp_path: Path) -> None:
    """Editors write one at the beginning, and whoever joins files has it in the middle, too."""
    path = tmp_path / "events.jsonl"
    first, second = likes(2)
    path.write_bytes(b"".join(codecs.BOM_UTF8 + lines([one]) for one in (first, second)))
    await run(settings, path)

    assert await published(settings) == [first, second]


@pytest.mark.parametrize("missing", ["friends.csv.gz", "interactions.csv.gz"])
async def test_a_folder_that_is_no_data_set_is_told_what_it_must_hold(
    settings: Settings, tmp_path: Path, missing: str
) -> None:
    """Both of its files are named, whichever is missing."""
    folder = dataset(tmp_path, "10,ann,a,r5\n", "ann,bob\n")
    (folder / missing).unlink()

    told = "is no data set: give a folder that holds friends.csv.gz and interactions.csv.gz"
    with pytest.raises(InputError, match=told):
        await run(settings, folder, "r5=like")


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.jsonl.gz"])
async def test_a_missing_file_is_named(settings: Settings, tmp_path: Path, name: str) -> None:
    """The message says which file, and that it is not there."""
    with pytest.raises(InputError, match=rf"{name}: No such file or directory"):
        await run(settings, tmp_path / name)


async def test_a_data_set_becomes_edges_and_acts(settings: Settings, tmp_path: Path) -> None:
    """Each pair of friends once, at the first act's time; acts by time; the rest is counted."""
    folder = dataset(
        tmp_path,
        "20,ann,b,r5\n10,bob,a,r5\n15,ann,a,look\n30,ann,c,r1\n30,ann,c,r2\n31,bob,c,r1\n",
        "ann,bob\nbob,ann\nbob,cid\n",
    )
    done = await run(settings, folder, "r5=like", "look=view")
    events = await published(settings)

    assert done.counts == Counts(5, 5)
    assert (done.edges, dict(done.skipped)) == (2, {"r1": 2, "r2": 1})
    assert sorted(events, key=encode) == sorted(
        [
            Befriend(at=10_000, user="ann", friend="bob"),
            Befriend(at=10_000, user="bob", friend="cid"),
            Like(at=10_000, user="bob", item="a"),
            Like(at=20_000, user="ann", item="b"),
            View(at=15_000, user="ann", item="a"),
        ],
        key=encode,
    )


async def test_edges_can_be_follows(settings: Settings, tmp_path: Path) -> None:
    """Then both directions of a pair count, each once."""
    folder = dataset(tmp_path, "10,ann,a,r5\n", "ann,bob\nbob,ann\nann,bob\n")
    done = await run(settings, folder, "r5=like", edges="follow")
    follows = [event for event in await published(settings) if isinstance(event, Follow)]

    assert done.edges == 2
    assert {(event.user, event.friend) for event in follows} == {("ann", "bob"), ("bob", "ann")}


@pytest.mark.parametrize(
    ("interactions", "friends", "maps", "complaint"),
    [
        ("10,ann,a,r5\n", "", [], r"kinds of its own \(r5\): say what they mean, --map KIND=like"),
        ("10,ann,a,r5\n", "", ["r6=like"], r"has no kind r6: map one of those it has \(r5\)"),
        ("10,ann,a,r5\n", "", ["r5=love"], r"--map r5=love: map to one of like, unlike, view"),
        ("", "", ["r5=like"], r"has no kind r5: map one of those it has \(none\)"),
        ("10,ann,a,r5\n10,ann,r5\n", "", ["r5=like"], r"interactions.csv.gz:3: 3 fields, wanted"),
        ("noon,ann,a,r5\n", "", ["r5=like"], r"interactions.csv.gz:2: ts is 'noon': give Unix s"),
        ("10,ann b,a,r5\n", "", ["r5=like"], r"interactions.csv.gz:2: .* 'ann b' \(at \$.user\)"),
        ("10,ann,a,r5\n", "ann\n", ["r5=like"], r"friends.csv.gz:2: 1 fields, wanted are 2"),
        ("10,ann,a,r5\n", "ann,ann\n", ["r5=like"], r"friends.csv.gz:2: a user cannot act on th"),
        ('10,"ann,a,r5\n', "", ["r5=like"], r"interactions.csv.gz:3: unexpected end of data"),
    ],
)
async def test_a_data_set_that_is_not_understood_is_refused_whole(  # noqa: PLR0917  a table
    settings: Settings,
    tmp_path: Path,
    interactions: str,
    friends: str,
    maps: list[str],
    complaint: str,
) -> None:
    """Missing meanings and bad rows are named with what to do; nothing is published."""
    with pytest.raises(InputError, match=complaint):
        await run(settings, dataset(tmp_path, interactions, friends), *maps)
    assert await is_untouched(settings)


async def test_other_columns_are_not_guessed_at(settings: Settings, tmp_path: Path) -> None:
    """The message has the columns as they are and as they should be."""
    dataset(tmp_path, "")
    with gzip.open(tmp_path / "interactions.csv.gz", "wt") as file:
        file.write("user,item,ts\nann,a,10\n")

    with pytest.raises(InputError, match=r"csv.gz:1: the columns are \['user', 'item', 'ts'\], wa"):
        await run(settings, tmp_path, "r5=like")


async def test_a_data_set_cut_short_is_refused_whole(settings: Settings, tmp_path: Path) -> None:
    """A table that breaks off is noticed before anything of it is published."""
    dataset(tmp_path, "".join(f"{second},ann,{second},r5\n" for second in range(1, 50_000)))
    path = tmp_path / "interactions.csv.gz"
    path.write_bytes(path.read_bytes()[:-1_000])

    with pytest.raises(InputError, match=r"interactions.csv.gz is cut short or damaged"):
        await run(settings, tmp_path, "r5=like")
    assert await is_untouched(settings)


async def test_a_replay_keeps_the_pace_of_the_events(settings: Settings, tmp_path: Path) -> None:
    """Two minutes at 60x take two seconds, with progress and what is left of it."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(likes(61, step_ms=2_000)))
    seen: list[Progress] = []
    done = await replay(
        settings, ReplayOptions(path=str(path), speed=parse_speed("60x")), seen.append
    )

    assert 2.0 <= done.seconds < 3.0
    assert done.counts == Counts(61, 61)
    assert 25 < seen[0].counts.published < 45
    assert seen[0].remaining_s == pytest.approx(1.0, abs=0.5)


async def test_a_replay_stops_when_told(settings: Settings, tmp_path: Path) -> None:
    """In the middle of a pause of an hour, with everything until then acknowledged."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(likes(10, step_ms=HOUR)))
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    began = time.monotonic()
    done = await replay(settings, ReplayOptions(path=str(path), speed=1.0), lambda _: None, stop)

    assert done.counts == Counts(1, 1)
    assert time.monotonic() - began < 3


class TestStandardInput:
    """Events that come through a pipe."""

    @pytest.fixture
    def pipe(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        """Put a pipe in the place of standard input, and give its other end."""
        end, other = os.pipe()
        with os.fdopen(end) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            yield other

    async def test_events_are_published_as_they_come(self, settings: Settings, pipe: int) -> None:
        """The first are in the log while the pipe is still open; a line may come in pieces."""
        replaying = asyncio.create_task(run(settings, "-"))
        first, second = encode(likes(2)[0]), encode(likes(2)[1])
        os.write(pipe, first + b"\n" + second[:10])
        while await is_untouched(settings) or not await published(settings):
            await asyncio.sleep(0.05)
        early = await published(settings)
        os.write(pipe, second[10:])
        os.close(pipe)
        done = await replaying

        assert early == likes(1)
        assert done.counts == Counts(2, 2)
        assert sorted(map(encode, await published(settings))) == sorted([first, second])

    async def test_a_bad_line_says_how_much_is_published(
        self, settings: Settings, pipe: int
    ) -> None:
        """What came before it is in the log, what came behind it is not."""
        os.write(pipe, lines(likes(3)) + b"nonsense\n" + lines(likes(1)))
        os.close(pipe)

        with pytest.raises(
            InputError, match=r"standard input:4: .*; the 3 events before it are published"
        ):
            await run(settings, "-")
        assert len(await published(settings)) == 3

    async def test_a_quiet_pipe_can_be_left(self, settings: Settings, pipe: int) -> None:
        """A stop is heard even where nothing comes."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, stop.set)
        done = await replay(settings, ReplayOptions(path="-"), lambda _: None, stop)
        os.close(pipe)

        assert done.counts == Counts(0, 0)

    async def test_a_file_on_standard_input_is_read_like_a_pipe(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Redirection works as well as a pipe."""
        (tmp_path / "events.jsonl").write_bytes(lines(likes(5_000)))
        with (tmp_path / "events.jsonl").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            done = await run(settings, "-")

        assert done.counts == Counts(5_000, 5_000)


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", "infx", "nanx", ""])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    """The message says what a speed looks like."""
    with pytest.raises(SettingsError, match=r"give max, or 1x for the pace of the events"):
        parse_speed(text)


@pytest.mark.parametrize("texts", [["checkin"], ["=like"], ["checkin="], ["a=like", "a=view"]])
def test_a_meaning_that_is_none_is_refused(texts: list[str]) -> None:
    """The message says what a meaning looks like, or that there are two."""
    with pytest.raises(SettingsError, match=r"--map (is|gives)"):
        parse_meanings(texts)


async def test_meanings_are_for_data_sets(settings: Settings, tmp_path: Path) -> None:
    """A file of our own events has kinds of ours."""
    (tmp_path / "events.jsonl").write_bytes(lines(likes(1)))

    with pytest.raises(SettingsError, match=r"--map is for a data set folder"):
        await run(settings, tmp_path / "events.jsonl", "a=like")


async def test_events_of_the_near_future_are_let_through(
    settings: Settings, tmp_path: Path
) -> None:
    """Clocks may differ by minutes, not by days."""
    near, far = (Like(at=now_ms() + ahead, user="ann", item="a") for ahead in (60_000, DAY))
    (tmp_path / "near.jsonl").write_bytes(lines([near]))
    (tmp_path / "far.jsonl").write_bytes(lines([far]))

    assert (await run(settings, tmp_path / "near.jsonl")).counts == Counts(1, 1)
    with pytest.raises(InputError, match=r"in the future"):
        await run(settings, tmp_path / "far.jsonl")


@pytest.mark.parametrize(
    ("name", "maps", "edges", "expected"),
    [
        ("gowalla1k", ["checkin=like"], "befriend", {"befriend": 7_711, "like": 157_251}),
        ("doubanmusic", ["r4=like", "r5=like"], "follow", {"follow": 18_486, "like": 219_142}),
    ],
)
async def test_real_data_sets_are_published_whole(
    settings: Settings, name: str, maps: list[str], edges: str, expected: dict[str, int]
) -> None:
    """As many friendships and acts as the data set's description says."""
    if not (DATASETS / name).is_dir():
        pytest.skip(f"{DATASETS / name} is not here")
    done = await run(settings, DATASETS / name, *maps, edges=edges)
    kinds = Counter(event.kind for event in await published(settings))

    assert kinds == expected
    assert done.counts.unconfirmed == 0


class TestOutage:
    """What becomes of a replay whose broker goes away."""

    @pytest.fixture
    def broker(self, own_broker: Broker) -> Broker:
        """Have a broker that may be killed."""
        return own_broker

    async def test_a_broker_out_of_reach_is_one_clear_line(
        self, broker: Broker, settings: Settings, tmp_path: Path
    ) -> None:
        """It says where Kafka was looked for, and how to start it."""
        (tmp_path / "events.jsonl").write_bytes(lines(likes(1)))
        broker.stop()

        with pytest.raises(BrokerError, match=r"^no Kafka at .*: start it with `likewave up`"):
            await run(settings, tmp_path / "events.jsonl")
