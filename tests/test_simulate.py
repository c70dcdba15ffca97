"""The simulator: a believable network, the same events for the same seed, and honest counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models import events
from models.decoding import Reject, examine
from models.errors import SettingsError
from models.network import make_network
from models.policy import SECOND
from models.traffic import Traffic, founding
from streams.noise import POISON, Mixer, Noise
from streams.simulate import Simulated, SimulateOptions, busiest_user, simulate
from streams.topics import COMPACTED, log_bounds

if TYPE_CHECKING:
    from streams.settings import Settings

NOON = 1_790_000_000_000


def chance(seed: int = 1) -> np.random.Generator:
    """Give seeded chance."""
    return np.random.default_rng(seed)


def traffic(users: int = 1_000, seed: int = 1) -> Traffic:
    """Give the traffic of a network."""
    return Traffic(make_network(users, chance(seed)), chance(seed))


@dataclass
class Received:
    """A record as a worker has it."""

    value: bytes
    offset: int = 0
    timestamp: int = NOON


def is_event(topic: str, value: bytes) -> bool:
    """Tell whether a worker takes a record for an event."""
    return not isinstance(examine(topic, Received(value)), Reject)


def test_few_have_very_many_friends() -> None:
    """The tail is heavy: the mean is well above the median, the busiest far beyond both."""
    network = make_network(10_000, chance())
    counts = np.array([len(friends) for friends in network.friends])

    assert 5 <= np.median(counts) <= 10
    assert 1.4 * np.median(counts) < counts.mean() < 25
    assert counts.max() > 50 * np.median(counts)
    assert len(network.friends[int(network.busiest)]) == counts.max()


@given(st.integers(2, 300), st.integers(0, 1_000))
def test_a_network_of_any_size_keeps_to_the_contract(users: int, seed: int) -> None:
    """Nobody befriends themselves, everybody exists, and all that is done is valid."""
    network = make_network(users, chance(seed))
    acting = Traffic(network, chance(seed))
    for event in [*founding(network, NOON), *(acting.next(NOON) for _ in range(300))]:
        events.check(event)
        assert event.key

    assert network.friendships.max() < users


def test_the_same_seed_gives_the_same_events() -> None:
    """However they are sliced, and only then."""
    whole = list(Mixer(traffic(), Noise(), chance()).records(1_000, NOON))
    sliced = Mixer(traffic(), Noise(), chance())
    slices = [record for size in (1, 99, 0, 900) for record in sliced.records(size, NOON)]
    other = list(Mixer(traffic(seed=2), Noise(), chance(2)).records(1_000, NOON))

    assert slices == whole
    assert other != whole


def test_people_do_all_that_can_be_done_and_look_more_than_they_act() -> None:
    """Every kind occurs, views most often, and shares go to all or to some friends."""
    acting = traffic()
    done = [acting.next(NOON) for _ in range(100_000)]
    kinds = Counter(event.kind for event in done)
    named = [event.to for event in done if isinstance(event, events.Share)]

    assert set(kinds) == set(events.KINDS)
    assert kinds.most_common(2)[0][0] == "view"
    assert 0.5 < kinds["view"] / len(done) < 0.6
    assert any(to is None for to in named)
    assert any(to is not None and 1 <= len(to) <= 3 for to in named)


def test_a_third_of_the_likes_or_more_repeat() -> None:
    """People like again what they like already, so registers move forward."""
    acting = traffic(users=10_000)
    likes = [
        (event.user, event.item)
        for event in (acting.next(NOON) for _ in range(30_000))
        if isinstance(event, events.Like)
    ]

    assert 0.3 < 1 - len(set(likes)) / len(likes) < 0.5


def test_some_items_are_popular_and_new_ones_appear() -> None:
    """The most viewed items draw what Zipf's law says, and the catalogue grows."""
    acting = traffic()
    views = [
        int(event.item)
        for event in (acting.next(NOON) for _ in range(30_000))
        if isinstance(event, events.View)
    ]
    ten = sum(count for _, count in Counter(views).most_common(10))

    assert 0.2 < ten / len(views) < 0.4
    assert max(views) >= 10_000


def test_new_items_are_posted_and_every_author_keeps_to_a_subject() -> None:
    """An item has one post and at most two topics, of which the first is always the author's."""
    acting = traffic(users=50)
    done = [acting.next(NOON) for _ in range(30_000)]
    posts = [event for event in done if isinstance(event, events.Post)]
    subjects = {(post.user, (post.topics or [""])[0]) for post in posts}

    assert len({post.item for post in posts}) == len(posts) > 250
    assert len(subjects) == len({post.user for post in posts})
    assert {len(post.topics or ()) for post in posts} == {1, 2}


def test_whoever_is_erased_leaves_a_place_to_a_newcomer() -> None:
    """Newcomers say since when they are there, in whatever they do with items; others do not."""
    acting = traffic(users=20)
    erased: list[int] = []
    acts = []
    for at in range(NOON, NOON + 200_000):
        event = acting.next(at)
        if isinstance(event, events.Erase):
            erased.append(at)
        if isinstance(event, events.Like | events.Share | events.View | events.Post):
            acts.append(event)

    assert {act.since for act in acts} <= {None, *erased}
    assert all((act.since is None) == (int(act.user) < 20) for act in acts)
    assert any(act.since for act in acts)


def test_a_stance_is_toward_a_friend_and_seldom_taken_back() -> None:
    """So that blocks, mutes and favours add up, slowly."""
    network = make_network(1_000, chance())
    acting = Traffic(network, chance())
    done = [acting.next(NOON) for _ in range(30_000)]
    stances = [event for event in done if isinstance(event, events.Stance)]
    taken_back = sum(stance.off for stance in stances)

    assert 0 < taken_back < len(stances) / 2
    for stance in stances:
        user, other = map(int, stance.accounts)
        assert max(user, other) >= 1_000 or other in network.friends[user]


def test_poison_is_no_event_on_any_topic() -> None:
    """Each kind of poison is refused by the decoder of every topic."""
    for topic in events.TOPICS:
        for value in POISON:
            assert not is_event(topic, value), value


def test_noise_is_mixed_in_as_asked() -> None:
    """The parts of poison and repetition are those of the options, and are counted."""
    mixer = Mixer(traffic(), Noise(poison=0.1, duplicates=0.2), chance())
    records = list(mixer.records(10_000, NOON))
    poisoned = sum(not is_event(record.topic, record.value) for record in records)

    assert mixer.poisoned == poisoned
    assert 900 < poisoned < 1_100
    assert 1_800 < mixer.repeated < 2_200


def test_acts_come_late_and_what_is_compacted_stays_in_order() -> None:
    """Disorder spreads the time of acts; what is compacted never goes back."""
    mixer = Mixer(traffic(), Noise(duplicates=0.3, disorder_ms=2 * SECOND), chance())
    records = [record for at in range(NOON, NOON + 100) for record in mixer.records(100, at)]
    acts = [events.decode(record.value) for record in records if record.topic == "likes"]
    kept = [events.decode(record.value).at for record in records if record.topic in COMPACTED]
    behind = [NOON + 100 - act.at for act in acts]

    assert kept == sorted(kept)
    assert kept[0] == NOON
    assert min(behind) > 0
    assert 1_900 < max(behind) <= 2_100


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"users": 1}, "--users is 1: give 2 to 10000000"),
        ({"rate": -1}, "--rate is -1: give events a second, or 0 for no limit"),
        ({"seconds": 0}, "--seconds is 0: give more than 0"),
        ({"seed": -1}, "--seed is -1: give 0 or more"),
    ],
)
def test_options_that_make_no_traffic_are_refused(options: dict[str, int], complaint: str) -> None:
    """The message names the option and what it takes."""
    with pytest.raises(SettingsError) as caught:
        SimulateOptions(**options)  # type: ignore[arg-type]  # wrong on purpose

    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("noise", "complaint"),
    [
        ({"poison": 1.5}, "--poison is 1.5: give a part from 0 to 1"),
        ({"duplicates": -0.1}, "--duplicates is -0.1: give a part from 0 to 1"),
        ({"poison": 0.6, "duplicates": 0.6}, "--poison and --duplicates add up to more than 1"),
        ({"disorder_ms": -1}, "--disorder is -1: give 0 or more milliseconds"),
    ],
)
def test_noise_that_cannot_be_mixed_is_refused(noise: dict[str, float], complaint: str) -> None:
    """The message names the option and what it takes."""
    with pytest.raises(SettingsError, match=complaint):
        Noise(**noise)  # type: ignore[arg-type]  # wrong on purpose


async def run(settings: Settings, options: SimulateOptions) -> Simulated:
    """Simulate without looking."""
    return await simulate(settings, options, lambda _: None)


async def test_a_simulation_keeps_its_rate_and_counts_what_is_in_the_log(
    settings: Settings,
) -> None:
    """Rate times seconds, and the network before; every one acknowledged, and on its topic."""
    done = await run(settings, SimulateOptions(users=100, rate=500, seconds=1))
    bounds = await log_bounds(settings)

    assert done.counts.published - done.founding == 500
    assert done.counts.unconfirmed == 0
    assert sum(end for _, end in bounds.values()) == done.counts.acknowledged
    assert 1 <= done.seconds < 3


async def test_a_simulation_without_a_limit_is_fast_and_stops_when_told(
    settings: Settings,
) -> None:
    """As many events as Kafka takes, until somebody has seen enough; progress once a second."""
    stop, seen = asyncio.Event(), []
    asyncio.get_running_loop().call_later(1.5, stop.set)
    done = await simulate(settings, SimulateOptions(users=100, rate=0), seen.append, stop)

    assert len(seen) == 1
    assert seen[0].remaining_s is None
    assert seen[0].rate > 10_000
    assert done.counts.published == done.counts.acknowledged > 20_000


async def test_the_log_has_what_the_seed_says(settings: Settings) -> None:
    """Two runs with one seed leave the same events but for their times."""
    options = SimulateOptions(users=50, rate=400, seconds=0.5, seed=7)
    logs = []
    for prefix in ("once.", "again."):
        own = settings.model_copy(update={"topic_prefix": settings.topic_prefix + prefix})
        await run(own, options)
        logs.append(await timeless(own))

    assert logs[0] == logs[1]
    assert len(logs[0]) > 200


async def test_the_busiest_user_has_the_most_friends(settings: Settings) -> None:
    """The user that is named beforehand is in more friendships of the log than any other."""
    options = SimulateOptions(users=200, rate=1, seconds=0.1, seed=3)
    await run(settings, options)
    ends: Counter[str] = Counter()
    for event in await timeless(settings):
        if isinstance(event, events.Befriend):
            ends.update((event.user, event.friend))

    assert ends.most_common(1)[0] == (busiest_user(options), ends[busiest_user(options)])


async def timeless(settings: Settings) -> list[events.Event]:
    """Read all topics, partition by partition, and set every event to one time."""
    consumer = AIOKafkaConsumer(
        *map(settings.topic, events.TOPICS),
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
    records.sort(
        key=lambda record: (record.topic.rpartition(".")[2], record.partition, record.offset)
    )
    return [replace(events.decode(record.value), at=1) for record in records]
