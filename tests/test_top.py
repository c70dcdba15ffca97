"""What operators look at: the same in a terminal, as JSON, and at the door of the API."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import redis

from models.events import Like
from models.finding import State
from models.policy import HOUR, SECOND
from streams import breakers, continuous, monitor_metrics, report, store_checks, topics
from streams import store as stores
from streams.clock import now_ms
from streams.continuous import Audited
from streams.outlook import Outlook
from streams.producer import Producer
from tests.command import ROOT, environment, run, start
from tests.doors import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.local import Store
    from streams.report import Report
    from streams.settings import Settings

SINCE = 1_795_500_500_000
NOWHERE = {"kafka": "127.0.0.1:9", "redis": "redis://127.0.0.1:9/0"}
VENDOR = ROOT / "streams" / "web" / "vendor"
SOON_S = 30.0


async def trouble(settings: Settings) -> str:
    """Have events wait in a partition that is held, and an audit that found something; name it."""
    await topics.ensure(settings)
    async with Producer(settings) as producer:
        await producer.publish(
            Like(user="ann", item=f"song-{number}", at=now_ms()) for number in range(25)
        )
    ends = await topics.log_bounds(settings, ["likes"])
    source = next(f"likes:{number}" for (_, number), (_, end) in ends.items() if end)
    async with stores.opened(settings) as feeds:
        await feeds.hset(breakers.KEY, source, f"{breakers.OPEN} 0 {SINCE}")
        audited = Audited(now_ms(), 20, 1, 1_200, 3, [])
        await feeds.set(continuous.REPORT, msgspec.json.encode(audited))
    return source


async def looked(settings: Settings) -> Report:
    """Make a report."""
    async with Outlook(settings) as outlook:
        return (await outlook.sight()).report


async def test_without_a_monitor_it_asks_by_itself(settings: Settings, tmp_path: Path) -> None:
    """What is wrong is named, with what to do; a script gets the same, and the exit code."""
    source = await trouble(settings)
    text, script = await asyncio.gather(
        asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=settings),
        asyncio.to_thread(run, "top", "--once", "--json", folder=tmp_path, settings=settings),
    )
    told = json.loads(script.stdout)
    found = told["report"]
    (waits,) = [one for one in found["diagnosis"]["partitions"] if one["lag"]]

    assert (text.returncode, script.returncode, text.stderr, script.stderr) == (2, 2, "", "")
    assert (told["by_monitor"], told["monitor_at"], found["freshness"]) == (False, 0, {})
    assert (waits["lag"], waits["verdict"], waits["command"]) == (25, "STALL", "likewave dlq ls")
    assert [one["source"] for one in found["store"]["held"]] == [source]
    assert found["course"]["lag"][-1] == 25
    for words in (
        "STALL  broker up, store up, workers with partitions: 0",
        "asked from here: no report of a monitor is found",
        f"held      {source} (likewave dlq ls)",
        "20 users, 1 differing",
        f"STALL {source}: held by its breaker since 2026-11-24 06:08:20 UTC: 25 events wait",
    ):
        assert words in text.stdout


async def test_a_monitors_report_is_shown_where_it_is_fresh(
    settings: Settings, tmp_path: Path
) -> None:
    """It comes with the course of minutes; one that is old is not taken for the present."""
    await topics.ensure(settings)
    made = replace(
        await looked(settings), freshness={"feed": report.Freshness(p50=0.006, p99=0.024)}
    )
    await report.keep(settings, replace(made, at=now_ms() + 60_000))
    done = await asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=settings)
    state = replace(made.store, clock_ahead_s=HOUR / SECOND)
    await report.keep(settings, replace(made, at=now_ms() - HOUR, store=state))
    behind = await asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=settings)
    await report.keep(settings, replace(made, at=now_ms() - 60_000))
    async with Outlook(settings) as outlook:
        old = await outlook.sight()
    late = await asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=settings)

    said = " ".join(late.stdout.split())
    assert re.search(r"the monitor's last report is 1\.\d min old: see whether it runs", said)
    assert done.returncode == 0
    assert "after p50 6 ms, p99 24 ms" in done.stdout
    assert "12 partitions are OK" in done.stdout
    assert not old.by_monitor
    assert now_ms() - old.monitor_at > 60_000
    assert old.monitor_age_ms == pytest.approx(60_000, abs=5_000)
    assert re.search(r"by a monitor's report, \d\.\d s old", behind.stdout)  # whose clock is wrong


async def test_a_full_store_is_shown_as_why_the_monitors_report_is_old(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """A monitor cannot leave its report there: its age says nothing about the monitor."""
    await topics.ensure(settings)
    await report.keep(settings, replace(await looked(settings), at=now_ms() - 60_000))
    with redis.Redis.from_url(store.url) as client:
        client.config_set("maxmemory", 1)
    done = await asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=settings)

    shown = " ".join(done.stdout.split())

    assert done.returncode == 1
    assert "WARN broker up, store up, the store is full (" in shown
    assert "asked from here: while the store refuses writes, no monitor can leave" in shown


async def test_what_is_away_is_shown_and_an_exit_code(settings: Settings, tmp_path: Path) -> None:
    """No stack trace, but what is wrong; whoever reads lines is told to leave by Ctrl-C."""
    nowhere = settings.model_copy(update=NOWHERE)
    done = await asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=nowhere)
    with start("top", "--json", folder=tmp_path, settings=nowhere) as process:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SOON_S)

    assert (done.returncode, done.stderr) == (3, "")
    assert "broker away, store away" in done.stdout
    assert json.loads(line)["report"]["diagnosis"]["broker_up"] is False
    assert (process.returncode, errors) == (130, "")


async def test_a_frozen_store_is_named_and_no_monitor_is_missed(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """A report that cannot be read says nothing about the monitor; a script has the exit code."""
    await topics.ensure(settings)
    await report.keep(settings, replace(report.NOTHING_YET, at=now_ms()))
    os.kill(store.pid, signal.SIGSTOP)
    try:
        done = await asyncio.to_thread(run, "top", "--once", folder=tmp_path, settings=settings)
    finally:
        os.kill(store.pid, signal.SIGCONT)
    shown = " ".join(done.stdout.split())

    assert (done.returncode, done.stderr) == (3, "")
    assert f"cannot be measured: the store at {settings.redis} does not answer" in shown
    assert "asked from here: while the store does not answer, no report of a monitor" in shown
    assert "is found" not in shown


class Screen:
    """A terminal that shows a command."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def until(self, words: str) -> None:
        """Read until `words` come."""
        shown, deadline = "", time.monotonic() + SOON_S
        while words not in shown:
            assert time.monotonic() < deadline, shown
            if select.select([self._descriptor], [], [], 0.2)[0]:
                text = os.read(self._descriptor, 65_536).decode(errors="replace")
                shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self._descriptor, key.encode())


@contextmanager
def terminal(
    settings: Settings, *arguments: str
) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """Run a command in a terminal of 80 columns; give its screen and its process."""
    command = [sys.executable, "-m", "streams.cli", *arguments]
    shown = {**environment(settings), "COLUMNS": "80", "LINES": "30", "TERM": "xterm"}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, env=shown, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            yield Screen(ours), process
        finally:
            process.kill()
            os.close(ours)


async def test_the_live_view_outlives_the_store_and_ends_by_a_key(
    settings: Settings, store: Store
) -> None:
    """It says that the store is away, and goes on when it is back."""
    await topics.ensure(settings)
    with terminal(settings, "top", "--interval", "0.5") as (screen, process):
        await asyncio.to_thread(screen.until, "12 partitions are OK")
        store.kill()
        await asyncio.to_thread(screen.until, "cannot be measured: no Redis at")
        store.start()
        await asyncio.to_thread(screen.until, "12 partitions are OK")
        screen.press("q")
        ended = await asyncio.to_thread(process.wait, SOON_S)

    assert ended == 0


async def test_metrics_and_the_doctor_know_what_is_held(settings: Settings) -> None:
    """With no worker there; of an audit only where one ran."""
    await topics.ensure(settings)
    before = await looked(settings)
    source = await trouble(settings)
    found = samples(await looked(settings))
    checks = {one.check: one for one in await store_checks.examine(settings, 0)}

    assert {name for name, *_ in samples(before) if "audit" in name} == set()
    assert {samples(before)["breaker_open", "0", "likes"], found["breaker_open", "0", "views"]} == {
        0
    }
    assert found["breaker_open", source[-1], "likes"] == 1
    assert (found["audit_users_total",], found["audit_differences_total",]) == (1_200, 3)
    assert found["audit_differing_users",] == 1
    assert found["audit_last_timestamp_seconds",] == pytest.approx(now_ms() / 1_000, abs=SOON_S)
    assert found["audit_busy_timestamp_seconds",] == found["audit_last_timestamp_seconds",]
    assert checks["breakers"].state is State.FAIL
    assert f"likewave dlq release {source}" in checks["breakers"].remedy


def samples(made: Report) -> dict[tuple[str, ...], float]:
    """Give the metrics of a report, by name and label values."""
    return {
        (one.name.removeprefix("likewave_"), *dict(sorted(one.labels.items())).values()): one.value
        for family in monitor_metrics.Findings(lambda: made).collect()
        for one in family.samples
    }


async def test_the_door_is_open_to_operators_alone(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    """Others are refused with a problem; it answers without the store, too."""
    source = await trouble(settings)
    with serving(settings, tmp_path) as doors:
        path = "/v1/operator/report"
        token = {"Authorization": f"Bearer {doors.token('ops', operator=True)}"}
        nobody, user = doors.client.get(path), doors.get(path, "ann")
        told: Any = doors.client.get(path, headers=token)
        store.kill()
        await asyncio.sleep(1)
        away = doors.client.get(path, headers=token).json()["report"]
        page = doors.client.get("/operator")

    assert (nobody.status_code, user.status_code) == (401, 403)
    assert user.json()["type"] == "urn:likewave:forbidden"
    assert told.json()["report"]["store"]["held"][0]["source"] == source
    assert told.headers["Cache-Control"] == "no-store"
    assert "no Redis at" in away["store"]["error"]
    assert (page.status_code, source in page.text) == (200, False)


def test_files_of_others_are_as_they_were_released() -> None:
    """Each is listed with its checksum, and has its licence beside it."""
    listed = re.findall(r"`(\w{64})` \| `([^`]+)`", (VENDOR / "README.md").read_text())
    there = {str(one.relative_to(VENDOR)) for one in VENDOR.glob("*/*")}

    assert {name for _, name in listed} == there
    assert {Path(name).name for _, name in listed} > {"LICENSE"}
    for digest, name in listed:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
