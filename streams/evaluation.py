"""Prequential evaluation: every target is asked for before the shards know of it.

    data set ──> events before the moment ──> sandbox ──> draw ──> pages ──┐
                                                                           ├──> places of targets
             └─> acts before the moment ──> baselines ─────────────────────┘

The pages are those of the real shard functions and of the page policy. Items on which the viewer
has acted are in no ranking, however long ago that was.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from models.baselines import SINGLES, Acts, Friends, baselines, best
from models.errors import InputError
from models.evaluation import (
    DEPTH,
    Bootstrap,
    Comparison,
    Measures,
    Part,
    Question,
    Tally,
    compare,
    measures,
    questions,
    targets,
)
from models.policy import SECOND
from models.present import Present
from models.ranking import pages, tabulated
from models.study import Study, study_of
from streams import sandbox
from streams.pages import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.page_policy import PagePolicy
    from streams.datasets import Dataset
    from streams.sandbox import Sandbox
    from streams.settings import Settings

    Report: TypeAlias = Callable[[str, int, int], None]  # stage, done, total

LIKEWAVE = "likewave"
CARRIED = 5_000  # events at a time, so that progress can be told


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """Which targets are asked for, and under which page policy."""

    page_policy: PagePolicy
    split: float  # Unix seconds, or below 1 the share of the acts before it
    part: Part
    targets: int  # at most
    seed: int


class Evaluation(msgspec.Struct, frozen=True):
    """What an evaluation found; rankings in the order of the table."""

    rankings: list[Measures]
    comparison: Comparison
    part: Part
    split: int  # Unix seconds
    targets: int
    users: int  # of the targets
    items: int  # in the data set
    half_life_ms: int
    page_policy: str  # version


async def evaluate(
    settings: Settings, dataset: Dataset, options: EvaluationOptions, report: Report
) -> Evaluation:
    """Ask Likewave and the baselines for the targets of `dataset`; raise InputError for none."""
    study = study_of(dataset.events)
    split = _split_ms(study.acts, options.split)
    chance = np.random.default_rng(options.seed)
    chosen = targets(study.acts, options.part, split, options.targets, chance)
    if not len(chosen):
        raise InputError(f"no act is in the part to {options.part}: choose another --split")
    asked = questions(study.acts, chosen)
    async with sandbox.opened(settings) as inside:
        tallies = await _tally(_Trial(inside, dataset, study, options, chance), asked, report)
    bootstrap = Bootstrap([one.viewer for one in asked for _ in one.targets], chance)
    return Evaluation(
        rankings=[
            measures(name, tally, bootstrap, study.acts.items) for name, tally in tallies.items()
        ],
        comparison=compare(LIKEWAVE, tallies, SINGLES, bootstrap),
        part=options.part,
        split=split // SECOND,
        targets=len(chosen),
        users=len({one.viewer for one in asked}),
        items=study.acts.items,
        half_life_ms=settings.policy.half_life_ms,
        page_policy=options.page_policy.version,
    )


def _split_ms(acts: Acts, split: float) -> int:
    if split >= 1:
        return round(split * SECOND)
    return int(acts.at[int(split * len(acts.at))])


class _Trial:
    """All rankings, brought forward in time together."""

    def __init__(
        self,
        inside: Sandbox,
        dataset: Dataset,
        study: Study,
        options: EvaluationOptions,
        chance: np.random.Generator,
    ) -> None:
        self._inside = inside
        self._events = dataset.events
        self._study = study
        self._page_policy = options.page_policy
        half_life_ms = inside.settings.policy.half_life_ms
        self._friends = Friends(study.acts, study.circles, half_life_ms)
        self._baselines = baselines(study.acts, self._friends, half_life_ms, chance)
        self._names = list(study.items)
        self._carried = 0  # events

    async def bring_up_to(self, now: int, report: Report) -> None:
        """Tell the shards all that happened before `now`, and report where that is much."""
        first = self._carried
        end = bisect_left(self._events, now, lo=first, key=lambda event: event.at)
        for begin in range(first, end, CARRIED):
            await self._inside.carry(self._events[begin : min(begin + CARRIED, end)])
            if begin + CARRIED < end:
                report("events before", begin + CARRIED - first, end - first)
        self._carried = end

    async def answers(self, asked: Question) -> dict[str, list[int]]:
        """Give the items that each ranking has for a viewer, best first."""
        own = self._friends.own(asked.viewer, asked.now)
        answers = {LIKEWAVE: await self._shown(asked, own.tolist())}
        for name, scorer in self._baselines.items():
            answers[name] = best(scorer(asked.viewer, asked.now), own, DEPTH)
        return answers

    def familiar(self, asked: Question) -> set[int]:
        """Name the items on which the viewer's circle has acted."""
        return self._friends.acted_on(asked.viewer, asked.now)

    async def _shown(self, asked: Question, own: Sequence[int]) -> list[int]:
        drawn = await draw(
            self._inside.store,
            self._inside.settings,
            self._study.users[asked.viewer],
            page=replace(self._page_policy, page_size=DEPTH),
            whole=True,
        )
        viewer = replace(drawn.viewer, acted={self._names[item] for item in own})
        present = Present(self._inside.settings.policy, asked.now)
        table = tabulated(drawn.candidates, viewer, self._page_policy, present)
        shown = (self._study.items[one.item] for page in pages(table) for one in page)
        return list(islice(shown, DEPTH))


async def _tally(trial: _Trial, asked: Sequence[Question], report: Report) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    total = sum(len(one.targets) for one in asked)
    done = 0
    for one in asked:
        await trial.bring_up_to(one.now, report)
        familiar = trial.familiar(one)
        for name, ranked in (await trial.answers(one)).items():
            tallies.setdefault(name, Tally()).add(ranked, one.targets, familiar)
        done += len(one.targets)
        report("targets", done, total)
    return tallies
