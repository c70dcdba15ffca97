"""A policy file is checked as a whole at the start, and followed while a process runs."""

from __future__ import annotations

import os
import re
import time
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from models.errors import PolicyError
from models.experiment import Experiment, PagePolicies
from models.finding import State
from models.page_policy import PagePolicy
from models.policy import HOUR, Policy
from streams import host_checks
from streams.origins import effective
from streams.page_policies import LivePolicies
from streams.policy_file import parse, read_policies
from streams.settings import Settings, load, resolve
from tests.command import stack_in

TWO = "[page]\nper_actor = 2\n"
TRIED = TWO + '[experiment]\nname = "taste"\nshare = 0.5\n[experiment.page]\ntaste_weight = 2\n'


class Hand:
    """A clock that a test moves by hand (seconds)."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.seconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a policy file."""
    path = tmp_path / "policy.toml"
    path.write_text(TWO)
    return path


class Follower:
    """A process that asks for the policies once a second."""

    def __init__(self, file: Path) -> None:
        self._clock = Hand()
        self._live = LivePolicies(Settings(policy_file=file), self._clock)

    def look(self) -> PagePolicies:
        """Ask a second later."""
        self._clock.seconds += 1
        return self._live.current()

    def hear(self, times: int = 1) -> list[str]:
        """Ask `times`, and give what is said meanwhile."""
        with capture_logs() as said:
            for _ in range(times):
                self.look()
        return [one["log_level"] + ": " + one.get("reason", one["event"]) for one in said]


class TestFile:
    """What a policy file may say."""

    def test_it_has_the_numbers_of_feeds_of_pages_and_of_an_experiment(self, file: Path) -> None:
        """Each has its place, and what is left out is as by default, or as in control."""
        file.write_text('half_life = "3h"\n' + TRIED)
        found = read_policies(file)

        control = PagePolicy(per_actor=2)
        treatment = PagePolicy(per_actor=2, taste_weight=2)
        assert found.feeds == Policy(half_life_ms=3 * HOUR)
        assert found.pages == PagePolicies(control, Experiment("taste", 0.5, treatment))

    def test_the_settings_take_the_numbers_of_feeds(self, file: Path) -> None:
        """The tables of pages are none of theirs."""
        file.write_text('half_life = "3h"\n' + TRIED)

        assert resolve(policy_file=file).policy == Policy(half_life_ms=3 * HOUR)

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[page]\nper_actor = 0", "[page] per_actor is 0: give a whole number from 1 to 100"),
            ("[page]\nhalf_life = '3h'", "[page] half_life is a number of feeds: write it above"),
            ("page = 3", "page is 3: give one table [page]"),
            ("[pages]\nper_actor = 2", "[pages] is no table of a policy: [page], [experiment]"),
            ("per_actor = 2", "per_actor is not a policy number: one of half_life, "),
            ("[experiment]\nname = 'a'", "[experiment] an experiment has a name, a share, and a"),
            ("[[experiment]]\nname = 'a'", "give one table [experiment]"),
            (TRIED + "per_actor = 'two'", "[experiment.page] per_actor is 'two': give a whole"),
            ("[page", "Expected ']' at the end of a table declaration"),
        ],
    )
    def test_a_mistake_is_told_with_its_place(self, file: Path, text: str, complaint: str) -> None:
        """File, table and field are named, and what may stand there."""
        file.write_text(text)

        with pytest.raises(PolicyError) as refusal:
            resolve(policy_file=file)
        assert str(refusal.value).startswith(f"{file}: ")
        assert complaint in str(refusal.value)

    @pytest.mark.parametrize("named", [False, True])
    def test_a_running_stack_names_its_file(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
    ) -> None:
        """Its feeds are made with what the file said when it started, pages with what it says now.

        That holds with and without the environment naming the same file once more.
        """
        monkeypatch.chdir(file.parent)
        if named:
            monkeypatch.setenv("LIKEWAVE_POLICY_FILE", file.name)
        started = {"policy": asdict(Policy(half_life_ms=3 * HOUR)), "policy_file": str(file)}
        file.write_text('half_life = "5h"\n' + TWO)
        with stack_in(Path(), **started):
            settings = load()
            pages = LivePolicies(load()).current()

        assert settings.policy == Policy(half_life_ms=3 * HOUR)
        assert pages.control == PagePolicy(per_actor=2)

    def test_the_effective_numbers_are_listed_with_where_they_come_from(self, file: Path) -> None:
        """As `likewave config` shows them; of an experiment what is other than in control."""
        file.write_text(TRIED)
        listed = {one.name: (one.value, one.source) for one in effective(resolve(policy_file=file))}
        here = f"policy file ({file})"

        assert listed["page.per_actor"] == (2, here)
        assert listed["page.page_size"] == (20, "default")
        tried = {name: found for name, found in listed.items() if name.startswith("experiment.")}
        assert tried == {
            "experiment.name": ("taste", here),
            "experiment.share": (0.5, here),
            "experiment.page.taste_weight": (2, here),
        }

    def test_a_file_that_says_otherwise_by_now_is_no_source(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The running stack is, for numbers of feeds; the doctor warns of each, until set back."""
        monkeypatch.chdir(file.parent)
        started = {"policy": asdict(Policy(half_life_ms=3 * HOUR)), "policy_file": str(file)}
        with stack_in(Path(), **started):
            file.write_text('half_life = "5h"\nfeed_size = 120\n')
            listed = {one.name: one.source for one in effective(load())}
            found = next(host_checks.examine(load()))
            file.write_text('half_life = "3h"\n')
            back = next(host_checks.examine(load()))

        assert listed["policy.half_life_ms"] == "running stack"
        assert listed["policy.feed_size"] == f"policy file ({file})"
        assert (found.check, found.state, back.state) == ("policy file", State.WARN, State.OK)
        assert found.found == (
            f"{file} says half_life_ms={5 * HOUR}, feeds are made with {3 * HOUR}"
        )
        assert found.remedy == "`likewave rebuild` changes them, or set the file back"

    def test_the_numbers_of_the_docs_are_the_defaults(self) -> None:
        """The printed table names every number of a page, and the printed experiment can be run."""
        text = (Path(__file__).parents[1] / "docs" / "pages.md").read_text()
        page, experiment = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        found = parse(tomllib.loads(page + experiment))

        assert found.pages.control == PagePolicy()
        assert tomllib.loads(page)["page"].keys() == PagePolicy.RANGES.keys()
        assert found.pages.experiment == Experiment("more-taste", 0.1, PagePolicy(taste_weight=1.0))


class TestReload:
    """What a running process makes of a change."""

    def test_a_change_is_seen_within_a_second(self, file: Path) -> None:
        """Without a restart, by the clock on the wall."""
        live = LivePolicies(Settings(policy_file=file))
        assert live.current().control == PagePolicy(per_actor=2)

        file.write_text(TRIED)
        written = time.monotonic()
        while live.current().experiment is None:
            time.sleep(0.01)
            assert time.monotonic() - written < 1

        assert live.current() == read_policies(file).pages

    def test_a_file_put_in_place_of_another_is_seen(self, file: Path) -> None:
        """As editors and ConfigMaps do it: even where size and time are those of the old one."""
        follower = Follower(file)
        other = file.with_suffix(".new")
        other.write_text("[page]\nper_actor = 4\n")
        os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
        other.replace(file)

        assert follower.look().control == PagePolicy(per_actor=4)

    @pytest.mark.parametrize("broken", ["[page]\nper_actor = 0", "[page", "", None])
    def test_a_broken_file_keeps_the_last_good_policies(
        self, file: Path, broken: str | None
    ) -> None:
        """It is told once, with the file, and once more when it is mended; None: it is gone."""
        file.write_text(TRIED)
        follower = Follower(file)
        good = follower.look()

        file.unlink() if broken is None else file.write_text(broken)
        said = follower.hear(times=3)
        assert follower.look() == good
        assert len(said) == 1
        assert said[0].startswith(f"warning: {file}: ")

        file.write_text(TWO)
        assert follower.hear(times=3) == ["info: policy file mended"]
        assert follower.look().control == PagePolicy(per_actor=2)

    def test_the_numbers_of_feeds_stay(self, file: Path) -> None:
        """A change of theirs is told with what it would take; that of a page beside it counts."""
        follower = Follower(file)
        file.write_text('half_life = "3h"\n[page]\nper_actor = 5\n')
        (said,) = follower.hear(times=3)

        assert said.startswith(
            f"warning: {file}: half_life_ms 21600000 -> 10800000: part of stored scores, so the "
            "old numbers stay; to change them is a rebuild: "
        )
        assert follower.look().control == PagePolicy(per_actor=5)

    def test_without_a_file_the_numbers_are_the_defaults(self) -> None:
        """And there are no groups."""
        assert LivePolicies(Settings()).current() == PagePolicies()
