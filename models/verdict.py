"""How one partition does, judged over a window of observations: Burrow's rules, held to the fence.

Burrow judges the offsets that a group commits; here it is the fence, which is in the store and can
be asked for at any moment. From the worst to the best, the first that applies:

    ERR     it cannot be measured: the fence is of another log, or beyond the end of this one
    REWIND  the fence went back, and has not yet come to where it was
    STALL   it is held by its breaker
    STOP    events wait, the fence stands still, and no worker is there
    STALL   the same while a worker is there: it holds the partition, or its process is connected
            (where the store refuses writes, that is the cause, and what both say)
    WARN    the same, or more and more wait, while a worker has just come, left or thawed, a server
            is just back, or a job goes on: it is too early to tell
    WARN    none of these, but the store refuses writes, more and more wait (a hundred at least),
            the first for longer than half a minute, or load is shed
    OK      all is applied, or what waits does not become more

Standing still, growing and all rates are judged over the recent part of the window, and only where
at all times of it something waited and was measured; a step back is remembered until the fence is
where it was.
What arrives within a second is on its way, and not yet waiting.
https://github.com/linkedin/Burrow/wiki/Consumer-Lag-Evaluation-Rules
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from models.counting import counted
from models.moments import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.refusal import Refusal


class Verdict(StrEnum):
    """How a partition does."""

    OK = "OK"
    WARN = "WARN"
    STALL = "STALL"
    STOP = "STOP"
    REWIND = "REWIND"
    ERR = "ERR"


WORKER, DOCTOR = "likewave worker", "likewave doctor"  # the first to run
WAIT = "likewave lag --watch"  # and see it go down
HELD = "likewave dlq ls"  # and see what holds it
LESS = "it was flushed, restored or failed over; workers read the log again"
MANY = 100  # events; fewer that wait are no reason for more workers
LATE_S = 30.0  # that the first event has waited
SETTLING_MS = 15_000  # in which workers go on after an outage; a start takes 4 to 7 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is the same for all partitions at one moment."""

    workers: tuple[str, ...] = ()  # to look at where events wait, as `host:pid`; () is none there
    has_silent: bool = False  # they are silent, of all who are connected
    has_newcomer: bool = False  # a worker has just come
    has_job: bool = False  # a shard does a row too large for one call, and nothing else meanwhile
    work: int = 0  # that all shards ever did, jobs included
    refusal: Refusal | None = None  # why the store takes no writes
    mend: str = ""  # the command for a partition that cannot be measured, where one is


UNKNOWN = Surroundings()


class Judgement(NamedTuple):
    """A verdict, why, and the first command to run."""

    verdict: Verdict
    sentence: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Where log and shards stood in one partition at `now` (Unix ms)."""

    now: int
    fence: int  # up to where all shards have it
    end: int
    attended: bool  # a worker is there
    resumed: bool = False  # nothing could be measured just before
    waited_s: float = 0.0  # that the first event has waited in the log
    around: Surroundings = UNKNOWN
    fault: str = ""  # why the fence says nothing, and what to do
    mend: str = ""  # the command for it
    held_since: int = 0  # by its breaker, Unix ms; 0 is not held
    halvings: int = 0  # while the worker sheds load: of views one in 2^halvings is counted

    @property
    def lag(self) -> int:
        """Count the offsets that wait."""
        return max(0, self.end - self.fence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict on a partition, in words, with the first command to run."""

    verdict: Verdict
    sentence: str
    command: str
    arrival_rate: float  # events/s
    applied_rate: float  # events/s
    catch_up_s: float | None  # at these rates; None is never


def judge(window: Sequence[Observation], *, recent_ms: int) -> Finding:
    """Judge a partition by a window of at least one observation, oldest first.

    >>> def seen(now, fence, end):
    ...     return Observation(now=now, fence=fence, end=end, attended=True)
    >>> judge([seen(0, 5, 10), seen(5_000, 5, 20)], recent_ms=5_000).verdict
    <Verdict.STALL: 'STALL'>
    >>> judge([seen(0, 5, 10), seen(5_000, 15, 10)], recent_ms=5_000).applied_rate
    2.0
    """
    recent = _recent(_steady(window), recent_ms)
    seconds = (recent[-1].now - recent[0].now) / 1000 or 1.0
    arrival = (recent[-1].end - recent[0].end) / seconds
    applied = (recent[-1].fence - recent[0].fence) / seconds
    whole = recent[-1].now - recent[0].now >= recent_ms and all(one.lag for one in recent)
    verdict, sentence, command = _judgement(window, recent if whole else [], arrival)
    if sampled := window[-1].halvings:
        sentence += f"; load is shed: of views one in {2**sampled} is counted"
        if verdict is Verdict.OK:
            verdict, command = Verdict.WARN, WORKER
    return Finding(
        verdict=verdict,
        sentence=sentence,
        command=command,
        arrival_rate=arrival,
        applied_rate=applied,
        catch_up_s=None
        if window[-1].fault
        else _catch_up_s([one.lag for one in recent], arrival, applied),
    )


def processes(workers: Sequence[str]) -> str:
    """Give the command that shows whether a worker is frozen, and where to run it.

    >>> processes(["east:41", "east:7", "west:7"])
    'ps -o pid,stat,etime,args -p 41,7  # on east; on west: -p 7'
    """
    pids: dict[str, list[str]] = {}
    for host, _, pid in (worker.rpartition(":") for worker in workers):
        pids.setdefault(host, []).append(pid)
    first, *others = [(host, ",".join(listed)) for host, listed in pids.items()]
    more = "".join(f"; on {host}: -p {listed}" for host, listed in others)
    return f"ps -o pid,stat,etime,args -p {first[1]}  # on {first[0]}{more}"


def _judgement(
    window: Sequence[Observation], recent: Sequence[Observation], arrival: float
) -> Judgement:
    last = window[-1]
    if last.fault:
        return Judgement(Verdict.ERR, last.fault, last.mend or DOCTOR)
    if (highest := max(one.fence for one in _measured(window))) > last.fence:
        went_back = (
            f"the store went back from offset {highest:,} to {last.fence:,}: {LESS} from there"
        )
        return Judgement(Verdict.REWIND, went_back, WAIT)
    if last.held_since:
        return Judgement(Verdict.STALL, _held(last), HELD)
    lately = [one for one in window if one.now > last.now - SETTLING_MS]
    if recent and recent[0].fence == last.fence:
        return _standing(recent, lately)
    return _moving(recent or [last], lately, arrival)


def _held(last: Observation) -> str:
    return (
        f"held by its breaker since {moment(last.held_since)} UTC: {_waits(last)} at "
        f"offset {last.fence:,}, nearly all invalid; mend the producer, then release it"
    )


def _standing(recent: Sequence[Observation], lately: Sequence[Observation]) -> Judgement:
    """Judge a partition in which events wait, and none was applied for a while."""
    last, around = recent[-1], recent[-1].around
    waits = (
        f"{_waits(last)} at offset {last.fence:,}, and none was applied for "
        f"{(last.now - recent[0].now) / 1000:.0f} s"
    )
    stands = Verdict.STALL if last.attended else Verdict.STOP
    if refused := around.refusal:
        words = f"{waits}: {refused.sentence}, and refuses writes"
        return Judgement(stands, words, refused.command)
    if around.mend:
        words = f"{waits}: workers go on once what cannot be measured (ERR) is mended"
        return Judgement(Verdict.STOP, words, around.mend)
    if _has_left(recent, lately):
        words = f"{waits}: the worker has just left, and whoever supervises it starts it again"
        return Judgement(Verdict.WARN, words, WAIT)
    if not last.attended:
        return Judgement(stands, f"{waits}: no worker is there, start one", WORKER)
    if (soon := _soon(lately) or _goes_on(recent)) and not around.has_silent:
        return Judgement(Verdict.WARN, f"{waits}: {soon}", WAIT)
    words = (
        f"{waits} though a worker is there: see whether it is frozen (stat T) and what its "
        "log says, and start it again"
    )
    return Judgement(stands, words, processes(around.workers) if around.workers else DOCTOR)


def _has_left(recent: Sequence[Observation], lately: Sequence[Observation]) -> bool:
    """Tell whether a worker was there until just now; the group notices after its session."""
    last, is_told = recent[-1], any(one.around.workers for one in lately)
    if last.around.workers:
        return False
    if last.attended:
        return is_told
    return any(one.around.workers if is_told else one.attended for one in recent)


def _soon(lately: Sequence[Observation]) -> str:
    """Say why workers are about to go on; "" where nothing tells."""
    last = lately[-1].around
    if last.has_newcomer:
        return "a worker has just come, and begins within seconds"
    if any(one.resumed for one in lately):
        return "Kafka and the store are just back, and workers go on within seconds"
    if any(one.around.refusal for one in lately):
        return "the store has just begun to take writes again, and workers go on within seconds"
    if any(one.around.has_silent for one in lately):
        return "a worker that was silent is back, and goes on within seconds"
    if any(one.held_since for one in lately):
        return "its breaker has just been released, and its worker goes on within seconds"
    return ""


def _goes_on(recent: Sequence[Observation]) -> str:
    """Say that workers are at work on something else; "" where they are not."""
    if recent[-1].around.has_job and recent[-1].around.work != recent[0].around.work:
        return "a job is open in a shard, and goes on; the rest follows it"
    return ""


def _moving(
    recent: Sequence[Observation], lately: Sequence[Observation], arrival: float
) -> Judgement:
    """Judge a partition that is level, or of which events are applied."""
    last = recent[-1]
    waits = _waits(last) if last.lag else "all is applied up to now"
    if refused := last.around.refusal:
        return Judgement(Verdict.WARN, f"{refused.sentence}: {waits}", refused.command)
    if _grows([one.lag for one in recent]) and last.lag >= max(MANY, arrival):
        more = f"{waits}, and more arrive than are applied"
        if last.around.has_silent:
            frozen = f"{more}: a worker is connected and silent, see whether it is frozen (stat T)"
            return Judgement(Verdict.WARN, frozen, processes(last.around.workers))
        if soon := _soon(lately):
            return Judgement(Verdict.WARN, f"{more}: {soon}", WAIT)
        words = f"{more}: start more workers, up to the number of partitions"
        return Judgement(Verdict.WARN, words, WORKER)
    if last.waited_s > LATE_S:
        words = (
            f"{waits}, the first for {last.waited_s:.0f} s, but not more and more: it catches up"
        )
        return Judgement(Verdict.WARN, words, WAIT)
    return Judgement(Verdict.OK, f"{waits}, not more and more" if last.lag else "all applied", "")


def _waits(last: Observation) -> str:
    return counted(last.lag, "event waits", "events wait")


def _measured(window: Sequence[Observation]) -> Sequence[Observation]:
    """Give what follows the last fault."""
    faults = [place for place, one in enumerate(window, start=1) if one.fault]
    return window[faults[-1] :] if faults else window


def _steady(window: Sequence[Observation]) -> Sequence[Observation]:
    """Give what follows the last fault, outage or step back; at least the last observation."""
    begin = 0
    for place, (before, after) in enumerate(pairwise(window), start=1):
        is_back = after.fence < before.fence or after.end < before.end
        if before.fault or after.resumed or is_back:
            begin = place
    return window[begin:]


def _recent(window: Sequence[Observation], recent_ms: int) -> Sequence[Observation]:
    """Give the last observations, from the newest that is `recent_ms` old on."""
    since = window[-1].now - recent_ms
    begin = max((place for place, one in enumerate(window) if one.now <= since), default=0)
    return window[begin:]


def _grows(lags: Sequence[int]) -> bool:
    """Tell whether what waits became more, of late too, and never less than at first."""
    return lags[0] == min(lags) and lags[0] < lags[-1] >= lags[len(lags) // 2]


def _catch_up_s(lags: Sequence[int], arrival: float, applied: float) -> float | None:
    if not min(lags) or lags[-1] <= arrival:
        return 0.0  # it is level again and again, or what waits is on its way
    return lags[-1] / (applied - arrival) if applied > arrival else None
