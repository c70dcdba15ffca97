"""Verdicts: each rule, and what holds for any window of observations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.refusal import refusal
from models.verdict import (
    DOCTOR,
    HELD,
    WAIT,
    WORKER,
    Observation,
    Surroundings,
    Verdict,
    judge,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

RECENT_MS = 5_000
Seen = tuple[int, int]  # fence and end


def window(*seen: Seen, attended: bool = True) -> list[Observation]:
    """Make observations, one a second."""
    return [
        Observation(now=1_000 * second, fence=fence, end=end, attended=attended)
        for second, (fence, end) in enumerate(seen)
    ]


def verdict(observations: Sequence[Observation]) -> Verdict:
    """Judge."""
    return judge(observations, recent_ms=RECENT_MS).verdict


STANDING = [(5, 10)] * 6
GROWING = [(50 + 5 * second, 100 + 15 * second) for second in range(6)]
ON_ITS_WAY = [(50 + 9 * second, 55 + 10 * second) for second in range(6)]
SHED = [window((10, 10)), window(*STANDING)]
TAKEN = [(5, 10), (5, 10), (10, 10), (10, 20), (10, 30), (10, 40)]


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        (window((10, 10)), Verdict.OK),
        (window(*STANDING), Verdict.STALL),
        (window(*STANDING, attended=False), Verdict.STOP),
        (window(*STANDING[1:]), Verdict.OK),  # not yet for long enough
        (window(*TAKEN), Verdict.OK),  # nothing waited in between
        (window(*GROWING), Verdict.WARN),
        (window(*[(fence, end - 10) for fence, end in GROWING]), Verdict.OK),  # by a few
        (window(*GROWING, (140, 190)), Verdict.OK),  # it is coming down again
        (window(*ON_ITS_WAY), Verdict.OK),
        (window((50, 60), (0, 60)), Verdict.REWIND),
        (window((50, 60), (0, 60), (49, 60)), Verdict.REWIND),
        (window((50, 60), (0, 60), (50, 60)), Verdict.OK),
        (window((50, 60), *[(0, 60)] * 8, attended=False), Verdict.REWIND),
    ],
)
def test_each_rule_gives_its_verdict(observations: list[Observation], expected: Verdict) -> None:
    """A verdict is what its rule says, and nothing milder or harsher."""
    assert verdict(observations) is expected


def test_what_cannot_be_measured_is_said_as_it_is() -> None:
    """A fault is the whole sentence, and what was seen before it counts no more after it."""
    before = window((50, 60))
    fault = Observation(now=1_000, fence=0, end=3, attended=True, fault="another log: flush")
    after = Observation(now=2_000, fence=3, end=3, attended=True)
    finding = judge([*before, fault], recent_ms=RECENT_MS)

    assert (finding.verdict, finding.sentence) == (Verdict.ERR, "another log: flush")
    assert verdict([*before, fault, after]) is Verdict.OK


def test_a_partition_that_is_held_is_named_so() -> None:
    """It stalls from the first moment on, whoever is there, and has a remedy of its own."""
    held = Observation(now=1_000, fence=5, end=10, attended=False, held_since=500_000)
    finding = judge([held], recent_ms=RECENT_MS)

    assert (finding.verdict, finding.command) == (Verdict.STALL, HELD)
    assert finding.sentence.startswith("held by its breaker since 1970-01-01 00:08:20 UTC: 5 ")


FULL = refusal({"used_memory": 995, "maxmemory": 1_000, "total_system_memory": 2**30})


@pytest.mark.parametrize(
    ("attended", "expected"), [(True, Verdict.STALL), (False, Verdict.STOP)], ids=str
)
def test_a_store_that_refuses_writes_is_the_cause_of_what_stands(
    *, attended: bool, expected: Verdict
) -> None:
    """It is named, with what helps, instead of workers; and where nothing waits, as a warning."""
    around = Surroundings(workers=("east:7",), refusal=FULL)
    standing = [replace(one, around=around) for one in window(*STANDING, attended=attended)]
    level = judge([replace(standing[-1], fence=10)], recent_ms=RECENT_MS)
    finding = judge(standing, recent_ms=RECENT_MS)

    assert FULL is not None
    assert (finding.verdict, finding.command) == (expected, FULL.command)
    assert "the store is full (0 MB of 0 MB), and refuses writes" in finding.sentence
    assert (level.verdict, level.command) == (Verdict.WARN, FULL.command)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"used_memory": 98}, None),
        ({"used_memory": 99}, "CONFIG SET maxmemory 100mb"),
        ({"used_memory": 99, "maxmemory": 0}, None),  # without a limit
        ({"used_memory": 99, "total_system_memory": 120}, "--bigkeys"),
        ({"rdb_last_bgsave_status": "err"}, "CONFIG GET dir"),
        ({"aof_last_write_status": "err"}, "CONFIG GET dir"),
        ({"aof_last_bgrewrite_status": "err"}, None),  # it goes on with the one that it has
    ],
)
def test_a_store_refuses_writes_where_memory_or_disk_are_full(
    info: dict[str, object], words: str | None
) -> None:
    """The command gives no more memory than there is, and tells one cause from the other."""
    told = {"used_memory": 1, "maxmemory": 100, "total_system_memory": 1_000} | info
    found = refusal(told)

    assert (found and words in found.command) if words else found is None


def test_a_worker_that_has_just_come_does_not_stall() -> None:
    """It is given the seconds of its start; if it applies nothing then, it stalls."""
    gone = window(*[(0, 25)] * 8, attended=False)
    begins = [
        replace(one, now=8_000 + one.now, attended=True, around=Surroundings(has_newcomer=True))
        for one in gone[:6]
    ]
    finding = judge([*gone, begins[0]], recent_ms=RECENT_MS)

    assert verdict(gone) is Verdict.STOP
    assert (finding.verdict, finding.command) == (Verdict.WARN, WAIT)
    assert "a worker has just come" in finding.sentence
    assert verdict([*gone, *begins]) is Verdict.WARN
    assert verdict([*gone, *begins, replace(begins[-1], now=14_000, fence=5)]) is Verdict.OK
    stands = replace(begins[-1], now=14_000, around=Surroundings())
    assert verdict([*gone, *begins, stands]) is Verdict.STALL


def test_a_partition_that_is_released_is_given_seconds() -> None:
    """Its worker looks at it once a second; if it applies nothing then, it stalls."""
    held = [replace(one, held_since=500_000) for one in window(*STANDING)]
    released = replace(held[-1], now=6_000, held_since=0)
    finding = judge([*held, released], recent_ms=RECENT_MS)
    later = [replace(released, now=6_000 + 1_000 * second) for second in range(16)]

    assert (finding.verdict, finding.command) == (Verdict.WARN, WAIT)
    assert "has just been released" in finding.sentence
    assert verdict([*held, *later]) is Verdict.STALL


def test_a_store_that_takes_writes_again_is_given_seconds() -> None:
    """Workers ask it again after 2 s at most: nobody is sent to look after them before."""
    seen = [replace(one, around=Surroundings(refusal=FULL)) for one in window(*STANDING)]
    again = replace(seen[-1], now=6_000, around=Surroundings())
    finding = judge([*seen, again], recent_ms=RECENT_MS)
    later = [replace(again, now=6_000 + 1_000 * second) for second in range(16)]

    assert (finding.verdict, finding.command) == (Verdict.WARN, WAIT)
    assert "has just begun to take writes again" in finding.sentence
    assert verdict([*seen, *later[:10]]) is Verdict.WARN
    assert verdict([*seen, *later]) is Verdict.STALL


@pytest.mark.parametrize("lags", [STANDING, GROWING], ids=["standing", "growing"])
def test_what_was_seen_before_an_outage_counts_no_more(lags: list[Seen]) -> None:
    """What waited then waits still when servers are back, and workers are given time to go on."""
    around = Surroundings(workers=("east:7",))
    seen = [replace(one, around=around) for one in window(*lags, lags[-1])]
    back = replace(seen[-1], now=40_000, resumed=True)
    later = [replace(seen[-1], now=41_000 + 1_000 * second) for second in range(20)]
    finding = judge([*seen, back, *later[:5]], recent_ms=RECENT_MS)

    assert verdict([*seen, back]) is Verdict.OK
    assert (finding.verdict, finding.command) == (Verdict.WARN, WAIT)
    assert "are just back" in finding.sentence
    assert verdict([*seen, back, *later]) is Verdict.STALL
    assert verdict([*seen, replace(back, fence=0)]) is Verdict.REWIND


def test_a_worker_that_thaws_is_given_seconds() -> None:
    """Frozen it stalls, and nobody is sent to end it once it says something again."""
    frozen = Surroundings(workers=("east:7",), has_silent=True)
    thawed = Surroundings(workers=("east:7",))
    seen = [replace(one, around=frozen) for one in window(*STANDING)]
    later = [replace(seen[-1], now=6_000 + 1_000 * second, around=thawed) for second in range(20)]

    assert verdict(seen) is Verdict.STALL
    assert verdict([*seen, *later[:9]]) is Verdict.WARN
    assert verdict([*seen, *later]) is Verdict.STALL


def test_who_is_killed_has_left_though_the_group_does_not_know_yet() -> None:
    """What counts is who is connected to the store, where it tells; then nobody is there."""
    there = [replace(one, around=Surroundings(workers=("east:7",))) for one in window((5, 10))]
    killed = [
        replace(there[0], now=1_000 * second, around=Surroundings()) for second in range(1, 8)
    ]
    gone = replace(killed[-1], now=8_000, attended=False)
    never = judge(window(*STANDING), recent_ms=RECENT_MS)

    assert [verdict([*there, *killed[:n]]) for n in (5, 6, 7)] == [Verdict.WARN] * 3
    assert verdict([*there, *killed, gone]) is Verdict.STOP
    assert never.verdict is Verdict.STALL


def test_a_worker_that_has_just_left_is_given_seconds_to_come_back() -> None:
    """Whoever supervises it starts it again; if it does not, nobody is there."""
    left = [*window(*STANDING[1:]), *window(*STANDING, attended=False)]
    seen = [replace(one, now=1_000 * second) for second, one in enumerate(left)]

    assert verdict(seen[:6]) is Verdict.WARN
    assert verdict(seen[:10]) is Verdict.WARN
    assert verdict(seen) is Verdict.STOP


@pytest.mark.parametrize("attended", [True, False])
def test_what_workers_refuse_over_is_the_cause_of_what_stands(*, attended: bool) -> None:
    """Nobody is told to start workers that would refuse: what cannot be measured comes first."""
    around = Surroundings(mend="likewave rebuild --another-log", workers=("east:7",))
    standing = [replace(one, around=around) for one in window(*STANDING, attended=attended)]
    finding = judge(standing, recent_ms=RECENT_MS)

    assert (finding.verdict, finding.command) == (Verdict.STOP, "likewave rebuild --another-log")
    assert "once what cannot be measured (ERR) is mended" in finding.sentence


def test_what_is_late_is_not_well_though_it_catches_up() -> None:
    """A script that waits for OK goes on when feeds are of now."""
    seen = [replace(one, waited_s=31.0) for one in window((0, 500), (200, 510), (400, 520))]
    finding = judge(seen, recent_ms=RECENT_MS)

    assert (finding.verdict, finding.command) == (Verdict.WARN, WAIT)
    assert finding.sentence == (
        "120 events wait, the first for 31 s, but not more and more: it catches up"
    )


def test_a_frozen_worker_is_not_mended_by_more_of_them() -> None:
    """Where more and more waits while one is silent, that one is named."""
    around = Surroundings(workers=("east:7",), has_silent=True)
    finding = judge([replace(one, around=around) for one in window(*GROWING)], recent_ms=RECENT_MS)

    assert (finding.verdict, finding.command) == (
        Verdict.WARN,
        "ps -o pid,stat,etime,args -p 7  # on east",
    )


@pytest.mark.parametrize(
    ("works", "expected"), [((0, 100, 200, 300, 400, 500), Verdict.WARN), ((7,) * 6, Verdict.STALL)]
)
def test_what_waits_for_a_job_does_not_stall_while_the_job_goes_on(
    works: tuple[int, ...], expected: Verdict
) -> None:
    """A shard does nothing else meanwhile; a job that stands still is a stall like any other."""
    busy = [
        replace(one, around=Surroundings(has_job=True, work=work))
        for one, work in zip(window(*STANDING), works, strict=True)
    ]

    assert verdict(busy) is expected


def test_load_that_is_shed_is_a_warning_at_least() -> None:
    """Where all else is well; the sentence of something worse tells of it, too."""
    level, standing = ([*seen[:-1], replace(seen[-1], halvings=2)] for seen in SHED)
    findings = [judge(seen, recent_ms=RECENT_MS) for seen in (level, standing)]

    assert [one.verdict for one in findings] == [Verdict.WARN, Verdict.STALL]
    assert all("of views one in 4 is counted" in one.sentence for one in findings)


def test_rates_are_recent_and_say_when_all_is_applied() -> None:
    """What was before the recent part, or before a step back, is in no rate."""
    seen = [(0, 1_000)] * 20 + [(30 * second, 1_000 + 10 * second) for second in range(6)]
    faster = judge(window((0, 990), *seen), recent_ms=RECENT_MS)
    stuck = judge(window(*STANDING), recent_ms=RECENT_MS)

    assert (faster.arrival_rate, faster.applied_rate) == (10.0, 30.0)
    assert faster.catch_up_s == pytest.approx((1_050 - 150) / 20)
    assert stuck.catch_up_s is None


windows = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20)


@given(seen=windows, attended=st.booleans())
def test_any_window_has_a_verdict_with_its_remedy(*, seen: list[Seen], attended: bool) -> None:
    """Whatever is seen, the words are there, and the command unless all is well."""
    finding = judge(window(*seen, attended=attended), recent_ms=RECENT_MS)

    assert finding.sentence
    assert bool(finding.command) == (finding.verdict is not Verdict.OK)
    assert finding.command in {"", WORKER, WAIT, DOCTOR}


@given(windows)
def test_with_nothing_waiting_only_a_step_back_is_bad(seen: list[Seen]) -> None:
    """Where all is applied it is OK, unless the store went back from something higher."""
    last = max(fence for fence, _ in seen)

    assert verdict(window(*seen, (last, last))) is Verdict.OK
    assert verdict(window(*seen, (last - 1, last - 1))) in (Verdict.REWIND, Verdict.OK)


@given(windows)
def test_a_worker_makes_the_difference_between_stall_and_stop_alone(seen: list[Seen]) -> None:
    """Who is there changes no other verdict."""
    names = {Verdict.STOP: Verdict.STALL}
    without = verdict(window(*seen, attended=False))

    assert verdict(window(*seen)) is names.get(without, without)


@given(windows, st.integers(0, 1_000))
def test_a_verdict_does_not_depend_on_where_the_log_began(seen: list[Seen], offset: int) -> None:
    """Offsets are counted from anywhere."""
    moved = [(fence + offset, end + offset) for fence, end in seen]

    assert verdict(window(*moved)) is verdict(window(*seen))
