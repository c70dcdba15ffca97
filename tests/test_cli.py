"""The command: what it says, what a script can rely on, and how it fails."""

from __future__ import annotations

import asyncio
import gzip
import json
import platform
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import redis
from typer.testing import CliRunner

from models.errors import BrokerError
from models.events import TOPICS, Befriend, Erase, Event, Like, Share, Unfriend, encode
from streams import topics
from streams.cli import app
from tests.command import complaint, environment, run, stack_in, start
from tests.crew import crew
from tests.feeder import feeding

if TYPE_CHECKING:
    from pathlib import Path

    from streams.local import Store
    from streams.settings import Settings

COMMANDS = [
    *("up", "worker", "demo", "topics", "simulate", "replay", "feed", "lag", "shards", "audit"),
    "config",
    *("page", "explain", "exposures", "api", "token", "erase"),
    *("dlq ls", "dlq show", "dlq redrive", "dlq drop", "dlq release"),
]
AT = 1_790_000_000_000
NO_KAFKA = {"kafka": "127.0.0.1:9"}
NO_REDIS = {"redis": "redis://127.0.0.1:9/0"}
STRANDED = (
    "the stack of this folder (.likewave/) is not running: start it with `likewave up`, "
    "or set LIKEWAVE_KAFKA and LIKEWAVE_REDIS"
)


def published(settings: Settings) -> int:
    """Count the records on all topics."""
    bounds = asyncio.run(topics.log_bounds(settings))
    return sum(end for _, end in bounds.values())


def await_publication(settings: Settings) -> None:
    """Wait until something is on the topics, which somebody else makes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(BrokerError):
            if published(settings):
                return
        time.sleep(0.1)
    pytest.fail("nothing was published")


def apply(settings: Settings, history: list[Event]) -> None:
    """Bring events into the shards, without a broker."""

    async def carry() -> None:
        async with feeding(settings) as feeder:
            feeder.append(history)
            for source, log in feeder.log.items():
                await feeder.carry(source, 0, len(log))

    asyncio.run(carry())


class TestUsage:
    """What can be seen without any server."""

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself_with_an_example(self, command: str) -> None:
        """`--help` says what the command does and shows one use of it."""
        told = CliRunner().invoke(app, [*command.split(), "--help"])

        assert told.exit_code == 0
        assert f"likewave {command}" in told.output.partition("Example: ")[2]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["fly"],
            ["feed"],
            ["feed", "ann", "--limit", "none"],
            ["feed", "ann", "--limit", "0"],
            ["simulate", "--rate", "-1"],
            ["simulate", "--poison", "1.5"],
            ["replay", "x.jsonl", "--speed", "fast"],
            ["replay", "x", "--map", "checkin"],
            ["replay", "x", "--edges", "marry"],
            ["audit", "--users", "0"],
            ["audit", "--users", "2", "--user", "ann"],
            ["up", "--workers", "-1"],
            ["demo", "--seconds", "soon"],
            ["lag", "--verbose"],
        ],
    )
    def test_wrong_usage_ends_with_code_2(self, arguments: list[str]) -> None:
        """A command or an option that is not understood is explained, and nothing is begun."""
        told = CliRunner().invoke(app, arguments)

        assert told.exit_code == 2
        assert isinstance(told.exception, SystemExit)
        assert "Usage: " in told.output

    @pytest.mark.parametrize(
        "arguments",
        [
            *(["feed", "a b"], ["page", "a b", "--watch"], ["explain", "ann", "a b"]),
            *(["audit", "--user", "a b"], ["token", "a b"], ["erase", "a b", "--yes"]),
        ],
        ids=" ".join,
    )
    def test_what_can_be_no_id_is_wrong_usage(self, arguments: list[str]) -> None:
        """It is told before anything is asked, wherever an account or an item is named."""
        told = CliRunner().invoke(app, arguments)

        assert told.exit_code == 2
        assert "'a b': an id is 1 to 64 of A-Z a-z 0-9 _ -" in told.output

    def test_ctrl_c_during_imports_leaves_no_trace(self, tmp_path: Path) -> None:
        """It ends the command, as a shell expects, and nothing is said."""
        during = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
        (tmp_path / "typer.py").write_text(during)  # found first, by `python -m`
        done = run("doctor", folder=tmp_path)

        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")

    def test_ctrl_c_is_heard_before_anything_that_takes_time(self) -> None:
        """Until then it is Python's, which tells a trace: signals alone are imported first."""
        script = "import re, sys; before = {*sys.modules}; import streams.starting; "  # as pip's
        told = script + "print(*{*sys.modules} - before)"
        done = subprocess.run(
            [sys.executable, "-c", told],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )

        assert {*done.stdout.split()} <= {"signal", "streams", "streams.starting"}

    def test_a_setting_that_cannot_be_used_is_named(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """The line names the environment variable to mend."""
        wrong = settings.model_copy(update={"shards": "many"})

        assert complaint(run("lag", folder=tmp_path, settings=wrong)).startswith("LIKEWAVE_SHARDS:")


class TestFailure:
    """One clear line with the remedy, exit code 1, nothing half done."""

    @pytest.mark.parametrize(
        "arguments",
        [["topics"], ["lag"], ["audit"], ["simulate", "--seconds", "1"], ["replay", "one.jsonl"]],
        ids=lambda arguments: arguments[0],
    )
    def test_no_broker(self, arguments: list[str], tmp_path: Path, settings: Settings) -> None:
        """Where no Kafka is, the line says where it was looked for."""
        (tmp_path / "one.jsonl").write_bytes(encode(Like(user="ann", item="song", at=AT)))
        lost = settings.model_copy(update=NO_KAFKA)

        assert complaint(run(*arguments, folder=tmp_path, settings=lost)) == (
            "no Kafka at 127.0.0.1:9: start it, or mend LIKEWAVE_KAFKA "
            "(without it `likewave up` starts one of its own)"
        )

    @pytest.mark.parametrize(
        "command",
        [
            "simulate",
            "feed ann",
            "lag",
            "token ann",
            "api",
            "monitor",
            "topics",
            "dlq ls",
            "erase ann --yes",
        ],
    )
    def test_a_folder_whose_stack_is_down(self, command: str, tmp_path: Path) -> None:
        """The line says so: what listens on the default ports is somebody else's."""
        (tmp_path / ".likewave").mkdir()

        assert complaint(run(*command.split(), folder=tmp_path)) == STRANDED

    def test_a_folder_whose_stack_is_down_and_servers_by_name(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Commands go to the servers that the environment names, where it names both."""
        (tmp_path / ".likewave").mkdir()
        one = settings.model_copy(update={"redis": None})

        assert run("topics", folder=tmp_path, settings=settings).returncode == 0
        said = complaint(run("topics", folder=tmp_path, settings=one))
        assert said.endswith("or set LIKEWAVE_REDIS")

    def test_what_asks_no_server_goes_on_where_the_stack_is_down(self, tmp_path: Path) -> None:
        """The doctor names it among what else is wrong; settings and contract are what they are."""
        (tmp_path / ".likewave").mkdir()

        examined = json.loads(run("doctor", "--json", folder=tmp_path).stdout)["findings"]
        checked = {one["check"]: one["state"] for one in examined}

        assert checked["local stack"] == "fail"
        assert checked.keys() == {"local stack", "settings", "API", "Java", "disk"}
        assert run("config", folder=tmp_path).returncode == 0
        assert run("contract", ".", folder=tmp_path).returncode == 0

    @pytest.mark.parametrize("command", [["feed", "ann"], ["lag"], ["audit"]], ids=" ".join)
    def test_no_store(self, command: list[str], tmp_path: Path, settings: Settings) -> None:
        """Where no Redis is, the line says where it was looked for."""
        lost = settings.model_copy(update=NO_REDIS)
        asyncio.run(topics.ensure(settings))

        said = complaint(run(*command, folder=tmp_path, settings=lost))

        assert said.startswith("no Redis at redis://127.0.0.1:9/0")
        assert said.endswith(
            "start it, or mend LIKEWAVE_REDIS (without it `likewave up` starts one of its own)"
        )

    @pytest.mark.parametrize("lost", [NO_KAFKA, NO_REDIS], ids=["kafka", "redis"])
    def test_a_stack_on_servers_that_are_not_there(
        self, lost: dict[str, str], tmp_path: Path, settings: Settings
    ) -> None:
        """`up` says which variable leads there, and that without it there would be a server."""
        (variable,) = (f"LIKEWAVE_{name.upper()}" for name in lost)

        said = complaint(run("up", folder=tmp_path, settings=settings.model_copy(update=lost)))

        assert said.endswith(
            f"start it, or mend {variable} (without it `likewave up` starts one of its own)"
        )

    @pytest.mark.parametrize("command", [["feed", "ann"], ["lag"], ["audit"]], ids=" ".join)
    def test_a_wrong_password(
        self, command: list[str], tmp_path: Path, settings: Settings, store: Store
    ) -> None:
        """The line says that the credentials are refused, and does not repeat them."""
        with redis.Redis.from_url(store.url) as client:
            client.config_set("requirepass", "right")
        asyncio.run(topics.ensure(settings))
        wrong = settings.model_copy(update={"redis": f"redis://:s3cret@{store.address}/0"})

        said = complaint(run(*command, folder=tmp_path, settings=wrong))

        assert said.startswith("the store refuses these credentials")
        assert said.endswith("mend LIKEWAVE_REDIS")
        assert "s3cret" not in said

    @pytest.mark.parametrize(
        "arguments",
        [["topics"], ["simulate", "--seconds", "1"], ["replay", "one.jsonl"]],
        ids=lambda arguments: arguments[0],
    )
    def test_a_topic_with_another_partition_count(
        self, arguments: list[str], tmp_path: Path, settings: Settings
    ) -> None:
        """The line says what is, what is wanted and what to do; nothing is published."""
        asyncio.run(topics.ensure(settings))
        (tmp_path / "one.jsonl").write_bytes(encode(Like(user="ann", item="song", at=AT)))
        other = settings.model_copy(update={"partitions": 3})

        said = complaint(run(*arguments, folder=tmp_path, settings=other))

        assert f"topic {settings.topic('likes')} has 2 partitions, wanted are 3" in said
        assert "LIKEWAVE_PARTITIONS=2" in said
        assert published(settings) == 0

    def test_a_malformed_line(self, tmp_path: Path, settings: Settings) -> None:
        """The line names file and line, and none of the file is published."""
        asyncio.run(topics.ensure(settings))
        good = encode(Like(user="ann", item="song", at=AT)) + b"\n"
        (tmp_path / "events.jsonl").write_bytes(good * 3 + b'{"kind":"like","user":\n' + good)

        said = complaint(run("replay", "events.jsonl", folder=tmp_path, settings=settings))

        assert said.startswith("events.jsonl:4: ")
        assert published(settings) == 0

    def test_a_data_set_that_was_cut_short(self, tmp_path: Path, settings: Settings) -> None:
        """The line names the file, and none of the data set is published."""
        asyncio.run(topics.ensure(settings))
        rows = "ts,user,item,kind\n" + "".join(f"{n},ann,i{n},checkin\n" for n in range(1, 500))
        (tmp_path / "interactions.csv.gz").write_bytes(gzip.compress(rows.encode())[:-200])
        (tmp_path / "friends.csv.gz").write_bytes(gzip.compress(b"user,friend\nann,bob\n"))

        said = complaint(
            run("replay", ".", "--map", "checkin=like", folder=tmp_path, settings=settings)
        )

        assert said.startswith("interactions.csv.gz")
        assert published(settings) == 0

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            (NO_KAFKA, "no Kafka at 127.0.0.1:9"),
            (NO_REDIS, "no Redis at redis://127.0.0.1:9/0"),
        ],
        ids=["broker", "store"],
    )
    def test_a_worker_says_in_its_last_line_why_it_ends(
        self, changes: dict[str, str], reason: str, tmp_path: Path, settings: Settings
    ) -> None:
        """Each line of its log is a JSON object, the last one an error with the reason."""
        done = run("worker", folder=tmp_path, settings=settings.model_copy(update=changes))
        last = [json.loads(line) for line in done.stderr.splitlines()][-1]

        assert done.returncode == 1
        assert last["level"] == "error"
        assert last["event"].startswith(reason)


class TestFeed:
    """What `likewave feed` shows."""

    HISTORY = (
        Befriend(user="ann", friend="bob", at=AT),
        Befriend(user="ann", friend="cat", at=AT),
        Befriend(user="dan", friend="eve", at=AT),
        Unfriend(user="dan", friend="eve", at=AT + 1),
        Like(user="bob", item="song", at=AT + 1_000),
        Like(user="cat", item="song", at=AT + 1_000),
        Share(user="cat", item="news", to=["ann"], at=AT + 2_000),
    )

    def test_a_script_reads_it_as_json(self, tmp_path: Path, settings: Settings) -> None:
        """Entries stand best first, each with its score, its newest act and its proofs."""
        apply(settings, list(self.HISTORY))

        done = run("feed", "ann", "--json", folder=tmp_path, settings=settings)
        first, second = json.loads(done.stdout)

        assert (done.returncode, done.stderr) == (0, "")
        half_life_ms = settings.policy.half_life_ms
        assert (first["item"], first["score"]) == ("news", AT + 2_000 + 2 * half_life_ms)
        assert first["proofs"] == [{"kind": "direct", "who": "cat", "at": AT + 2_000}]
        assert (second["item"], second["score"]) == ("song", AT + 1_000 + half_life_ms)
        assert (second["at"], second["proofs_total"]) == (AT + 1_000, 2)

    def test_a_person_reads_why_an_item_is_there(self, tmp_path: Path, settings: Settings) -> None:
        """Each entry says how strongly it is held, and on whose account."""
        apply(settings, list(self.HISTORY))

        shown = run("feed", "ann", folder=tmp_path, settings=settings).stdout.splitlines()

        assert "+ 2.0 half-lives" in shown[1]
        assert "cat shared it with you" in shown[1]
        assert "+ 1.0 half-lives" in shown[2]
        assert shown[2].rstrip().endswith("and 1 more")

    def test_a_user_without_entries_has_an_empty_feed(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Whoever was once seen is known."""
        apply(settings, list(self.HISTORY))

        assert run("feed", "dan", "--json", folder=tmp_path, settings=settings).stdout == "[]\n"

    def test_a_user_nobody_knows_is_a_mistake(self, tmp_path: Path, settings: Settings) -> None:
        """The line says what is wrong with the name."""
        apply(settings, list(self.HISTORY))

        said = complaint(run("feed", "zoe", folder=tmp_path, settings=settings))
        assert said.startswith("user zoe is unknown")

    def test_who_was_erased_is_told_from_who_is_unknown(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """No id is to be mended: nothing of the account is left."""
        apply(settings, [*self.HISTORY, Erase(user="ann", at=AT + 3_000)])

        for command in (("feed", "ann"), ("page", "ann"), ("feed", "ann", "--watch")):
            said = complaint(run(*command, folder=tmp_path, settings=settings))
            assert said.startswith("user ann was erased: nothing of that account is left")

    def test_watching_ends_quietly(self, tmp_path: Path, settings: Settings) -> None:
        """Ctrl-C is no failure to talk about: exit code 130, and no word."""
        apply(settings, list(self.HISTORY))
        with start("feed", "ann", "--watch", folder=tmp_path, settings=settings) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("rank")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate()

        assert (process.returncode, errors) == (130, "")

    def test_a_continuous_audit_that_is_stopped_is_no_success(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Ctrl-C ends it by 130, as all that goes on until then."""
        apply(settings, [])
        asyncio.run(topics.ensure(settings))
        with start("audit", "--continuous", folder=tmp_path, settings=settings) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("audit: 0 users")
            process.send_signal(signal.SIGINT)
            process.communicate()

        assert process.returncode == 130

    def test_a_page_of_a_store_that_is_full_is_a_page_and_nothing_else(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """That its reader cannot be remembered is nothing to whoever looks once."""
        apply(settings, list(self.HISTORY))
        with redis.Redis.from_url(settings.redis) as client:
            client.config_set("maxmemory", 1)
        done = run("page", "ann", "--json", folder=tmp_path, settings=settings)

        assert (done.returncode, done.stderr) == (0, "")
        assert "song" in {one["item"] for one in json.loads(done.stdout)["items"]}

    @pytest.mark.parametrize("arguments", [("audit", "--continuous"), ("page", "ann", "--watch")])
    def test_the_store_knows_every_connection_by_its_command(
        self, tmp_path: Path, settings: Settings, arguments: tuple[str, ...]
    ) -> None:
        """In CLIENT LIST one sees who reads and writes: the command, its host and its process."""
        apply(settings, list(self.HISTORY))
        asyncio.run(topics.ensure(settings))
        with (
            redis.Redis.from_url(settings.redis, client_name="mine") as client,
            start(*arguments, folder=tmp_path, settings=settings) as process,
        ):
            assert process.stdout is not None
            process.stdout.readline()
            names = {one["name"] for one in client.client_list()} - {"mine"}
            process.send_signal(signal.SIGINT)
            process.communicate()

        assert names == {f"likewave-{arguments[0]}@{platform.node()}:{process.pid}"}

    @pytest.mark.parametrize("command", ["feed", "page"])
    def test_watching_waits_for_who_is_unknown(
        self, tmp_path: Path, settings: Settings, command: str
    ) -> None:
        """Nothing is there until somebody acts."""
        apply(settings, [])
        watching = (command, "ann", "--watch", "--json")
        with start(*watching, folder=tmp_path, settings=settings) as process:
            assert process.stdout is not None
            assert "song" not in process.stdout.readline()
            apply(settings, list(self.HISTORY))
            assert "song" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            process.communicate()


class TestTopics:
    """What `likewave topics` does."""

    def test_checking_creates_nothing(self, tmp_path: Path, settings: Settings) -> None:
        """Missing topics are a fault for `--check`, and are there after the command without it."""
        checked = run("topics", "--check", "--json", folder=tmp_path, settings=settings)
        created = run("topics", folder=tmp_path, settings=settings)
        after = run("topics", "--check", "--json", folder=tmp_path, settings=settings)

        assert (checked.returncode, created.returncode, after.returncode) == (1, 0, 0)
        assert all("does not exist" in state["faults"][0] for state in json.loads(checked.stdout))
        assert created.stdout.count(" ok") == len(TOPICS) + 1  # and the dead letters
        assert {state["partitions"] for state in json.loads(after.stdout)} == {2}


class TestConfig:
    """What `likewave config` shows."""

    def test_each_value_has_its_source_and_no_password(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Environment, running stack and default are told apart, and a password is masked."""
        secret = settings.model_copy(update={"redis": "redis://me:s3cret@store:6379/0"})

        with stack_in(tmp_path, kafka="stack:9092", partitions=3):
            done = run("config", "--json", folder=tmp_path, settings=secret)
        found = json.loads(done.stdout)
        sources = {one["name"]: one["source"] for one in found["settings"]}

        assert found["kafka"] == settings.kafka
        assert found["redis_url"] == "redis://me:***@store:6379/0"
        assert "s3cret" not in done.stdout
        assert sources["kafka"] == "LIKEWAVE_KAFKA"
        assert sources["replication"] == "default"

    def test_elsewhere_than_on_a_terminal_no_row_is_wrapped(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """However long a value is, it is whole, and in one line with its name and its source."""
        brokers = ",".join(f"broker-{number}.example:9092" for number in range(20))
        long = settings.model_copy(update={"kafka": brokers})
        done = run("config", folder=tmp_path, settings=long)

        assert ["kafka", brokers, "LIKEWAVE_KAFKA"] in [
            line.split() for line in done.stdout.splitlines()
        ]

    def test_one_value_is_printed_alone_for_other_programs(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """It is whole, with its password; a name that is none is a mistake of usage."""
        secret = settings.model_copy(update={"redis": "redis://me:s3cret@store:6379/0"})
        asked = ("redis", "shed_lag", "kafka_username", "policy.half_life_ms", "rediss")

        done = [run("config", name, folder=tmp_path, settings=secret) for name in asked]

        printed = [secret.redis, str(secret.shed_lag), "", str(secret.policy.half_life_ms)]
        assert [one.stdout for one in done] == [*(f"{value}\n" for value in printed), ""]
        assert [one.returncode for one in done] == [0, 0, 0, 0, 2]

    def test_the_address_of_a_stack_that_is_down_is_not_guessed(self, tmp_path: Path) -> None:
        """No command that is given it goes to what listens on the default ports."""
        (tmp_path / ".likewave").mkdir()

        assert complaint(run("config", "redis", folder=tmp_path)) == STRANDED

    def test_a_running_stack_and_a_policy_file_are_named(self, tmp_path: Path) -> None:
        """What the folder's stack says counts where the environment is silent."""
        with stack_in(tmp_path, kafka="stack:9092"):
            found = json.loads(run("config", "--json", folder=tmp_path).stdout)
        kafka = next(one for one in found["settings"] if one["name"] == "kafka")

        assert found["kafka"] == "stack:9092"
        assert kafka["source"] == "running stack"


class TestTraffic:
    """Publishing, and what can be said of it afterwards, with a real worker."""

    def test_what_was_published_is_what_is_reported(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """The counts of both producers are those of the log."""
        (tmp_path / "one.jsonl").write_bytes(encode(Like(user="ann", item="song", at=AT)))
        options = ("--users", "20", "--rate", "200", "--seconds", "1", "--poison", "0.1")

        simulated = run("simulate", *options, "--json", folder=tmp_path, settings=settings)
        replayed = run("replay", "one.jsonl", "--json", folder=tmp_path, settings=settings)

        counts = [json.loads(done.stdout)["counts"] for done in (simulated, replayed)]
        assert sum(one["acknowledged"] for one in counts) == published(settings)
        assert counts[1] == {"published": 1, "acknowledged": 1}
        assert json.loads(simulated.stdout)["poisoned"] > 0
        assert simulated.stderr == replayed.stderr == ""

    def test_a_simulation_that_is_stopped_says_what_it_did(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Ctrl-C ends it after all was acknowledged."""
        options = ("--users", "20", "--rate", "200")
        with start("simulate", *options, folder=tmp_path, settings=settings) as process:
            await_publication(settings)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate()
        count = int(output.split()[1].replace(",", ""))

        assert process.returncode == 130
        assert f"published {count:,} events, {count:,} acknowledged" in output
        assert count == published(settings)

    async def test_an_audit_finds_equal_feeds_and_a_feed_that_is_not(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """The exit code is 0 where all are equal, 1 after one score was changed by hand."""
        line = encode(Befriend(user="ann", friend="bob", at=AT)) + b"\n"
        line += encode(Like(user="bob", item="song", at=AT)) + b"\n"
        (tmp_path / "events.jsonl").write_bytes(line)
        await asyncio.to_thread(run, "replay", "events.jsonl", folder=tmp_path, settings=settings)
        async with crew(settings, tmp_path, workers=1) as workers:
            await workers.caught_up()
        equal = await asyncio.to_thread(run, "audit", folder=tmp_path, settings=settings)
        with redis.Redis.from_url(settings.redis) as client:
            client.zincrby("feed:{0}:ann", 5_000, "song")
        other = await asyncio.to_thread(run, "audit", "--json", folder=tmp_path, settings=settings)
        told = [
            await asyncio.to_thread(
                run, "audit", "--user", name, folder=tmp_path, settings=settings
            )
            for name in ("ann", "bob", "nobody")
        ]

        assert equal.returncode == 0
        assert equal.stdout.startswith("audit: 2 users, 2 equal, 0 differing")
        assert other.returncode == 1
        assert json.loads(other.stdout)["differing"] == 1
        assert other.stderr == ""
        assert [one.returncode for one in told] == [1, 0, 1]
        assert told[0].stdout.startswith("audit: 1 user, 0 equal, 1 differing")
        assert "nobody" in complaint(told[2])
