"""`likewave evaluate`: pages are asked before the shards know, and judged beside the baselines."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.errors import InputError
from models.evaluation import Part, at_half_life
from models.events import Befriend, Event, Follow, Like, Unlike, View
from models.page_policy import PagePolicy
from models.policy import DAY, HOUR, MINUTE, SECOND
from models.study import study_of
from streams.datasets import Dataset, read_dataset
from streams.evaluation import Evaluation, EvaluationOptions, evaluate
from streams.settings import Settings, resolve
from tests.command import complaint, run

if TYPE_CHECKING:
    from collections.abc import Sequence

DATASETS = Path(__file__).parents[2] / "shared" / "datasets"
NOON = 1_290_000_000_000
ALL = EvaluationOptions(
    page_policy=PagePolicy(), split=NOON // SECOND, part=Part.REPORT, targets=10_000, seed=1
)
SINGLES = ("likewave", "popularity", "friend-recency", "friend-count")


def weekly() -> Settings:
    """Give settings under which an act loses half its worth in a week."""
    settings = resolve()
    return settings.model_copy(update={"policy": at_half_life(settings.policy, 7 * DAY)})


def dataset(edges: Sequence[Event], acts: Sequence[Event]) -> Dataset:
    """Make a data set of events in order."""
    return Dataset([*edges, *acts], len(edges), {})


def like(user: str, item: str, after_ms: int) -> Like:
    """Make a like, so long after noon."""
    return Like(at=NOON + after_ms, user=user, item=item)


async def ask(data: Dataset, options: EvaluationOptions = ALL) -> Evaluation:
    """Evaluate without looking."""
    return await evaluate(weekly(), data, options, lambda *_: None)


def hits(found: Evaluation) -> dict[str, float]:
    """Give the targets that each ranking had among its first ten."""
    return {one.ranking: round(one.hr_10 * found.targets, 6) for one in found.rankings}


async def test_every_ranking_is_asked_before_it_is_told() -> None:
    """Ann does what bob did an hour before; bob and the first to come are foretold by nobody."""
    found = await ask(
        dataset(
            [Befriend(at=NOON, user="ann", friend="bob")],
            [
                like("bob", "song", 0),
                like("ann", "song", HOUR),
                like("eve", "film", 2 * HOUR),
                like("ann", "film", 3 * HOUR),
            ],
        )
    )

    assert found.targets == 4
    assert hits(found) == {
        "likewave": 2,
        "popularity": 2,
        "friend-recency": 1,
        "friend-count": 1,
        "friend+0.1pop": 2,
        "random": 2,
    }
    assert found.rankings[0].outside_circle == pytest.approx(2 / 3)  # eve's song, ann's film


async def test_what_happens_at_the_same_moment_foretells_nothing() -> None:
    """A friend's act of the same second is no hint, whichever of the two lines comes first."""
    edges = [Befriend(at=NOON, user="ann", friend="bob")]
    for first, second in (("ann", "bob"), ("bob", "ann")):
        found = await ask(dataset(edges, [like(first, "song", 0), like(second, "song", 0)]))
        assert set(hits(found).values()) == {0}


async def test_what_a_viewer_acted_on_is_in_no_ranking() -> None:
    """However long ago: the places are for what is new to them, also beyond the horizon."""
    old = [like("ann", f"old{k}", k) for k in range(60)]
    again = [like("bob", f"old{k}", 99 * DAY + k) for k in range(60)]
    last = [like("bob", "song", 90 * DAY), like("ann", "song", 99 * DAY + HOUR)]
    acts = sorted([*old, *again, *last], key=lambda event: event.at)
    data = dataset([Befriend(at=NOON, user="ann", friend="bob")], acts)
    found = await ask(data, replace(ALL, split=(NOON + 99 * DAY + HOUR) / SECOND))

    assert hits(found) == {
        "likewave": 1,
        "popularity": 1,
        "friend-recency": 1,
        "friend-count": 1,
        "friend+0.1pop": 1,
        "random": 1,
    }


async def test_the_future_changes_nothing() -> None:
    """What is asked before the split is answered alike, whatever happens after it."""
    chance = np.random.default_rng(1)
    acts = [
        like(str(chance.integers(12)), f"item{chance.integers(40)}", k * 20 * MINUTE)
        for k in range(400)
    ]
    edges = [
        Befriend(at=NOON, user=str(k), friend=str((k + step) % 12))
        for k in range(12)
        for step in (1, 3)
    ]
    tune = replace(ALL, part=Part.TUNE, split=acts[200].at / SECOND)
    whole = await ask(dataset(edges, acts), tune)
    cut = await ask(dataset(edges, [*acts[:200], like("0", "item0", 999 * DAY)]), tune)

    assert whole.targets == cut.targets > 100
    for one, other in zip(whole.rankings, cut.rankings, strict=True):
        if one.ranking in SINGLES:
            assert (one.hr_10, one.hr_50, one.mrr) == (other.hr_10, other.hr_50, other.mrr)
            assert one.hr_10 > 0
    assert await ask(dataset(edges, acts), tune) == whole


async def test_follows_carry_one_way_and_only_likes_and_shares_are_foretold() -> None:
    """Views and unlikes are no targets, and whoever is followed is told nothing by it."""
    data = dataset(
        [Follow(at=NOON, user="ann", friend="bob")],
        [
            like("bob", "song", 0),
            View(at=NOON + 1, user="ann", item="clip"),
            Unlike(at=NOON + 2, user="ann", item="clip"),
            like("ann", "song", HOUR),
            like("ann", "film", 2 * HOUR),
            like("bob", "film", 3 * HOUR),
        ],
    )
    found = await ask(data)

    assert study_of(data.events).circles == [[1], []]
    assert (found.targets, found.items) == (4, 3)
    assert hits(found)["friend-recency"] == 1


async def test_a_part_without_acts_is_refused() -> None:
    """The complaint says which option to change."""
    data = dataset([], [like("ann", "song", 0)])
    with pytest.raises(InputError, match="no act is in the part to tune: choose another --split"):
        await ask(data, replace(ALL, part=Part.TUNE))


def write(folder: Path) -> Path:
    """Write a data set of three friends who go where the first of them goes."""
    rows = [
        f"{NOON // SECOND + hour * 3_600 + minute * 60},{user},place{hour},visit"
        for hour in range(24)
        for minute, user in enumerate(("ann", "bob", "cat"))
    ]
    pairs = ["ann,bob", "bob,ann", "ann,cat", "bob,cat"]
    for name, lines in (
        ("interactions.csv.gz", ["ts,user,item,kind", *rows]),
        ("friends.csv.gz", ["user,friend", *pairs]),
    ):
        with gzip.open(folder / name, "wt") as file:
            file.write("\n".join(lines) + "\n")
    return folder


def test_the_command_writes_json(tmp_path: Path) -> None:
    """A script reads each ranking by name, and the verdict; and nothing else is written."""
    write(tmp_path)
    done = run(
        *("evaluate", ".", "--map", "visit=like", "--half-life", "30m", "--json"), folder=tmp_path
    )
    found = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    rankings = {one["ranking"]: one for one in found["rankings"]}
    assert list(rankings) == [*SINGLES, "friend+0.1pop", "random"]
    assert set(rankings["likewave"]) == {
        *("ranking", "hr@10", "hr@10_interval", "hr@50", "hr@50_interval"),
        *("mrr", "mrr_interval", "coverage", "outside_circle"),
    }
    assert rankings["likewave"]["hr@10"] == pytest.approx(20 / 29)  # all but those of ann
    assert (found["part"], found["half_life_ms"]) == ("report", 30 * MINUTE)
    assert found["comparison"]["ranking"] == "likewave"
    assert found["page_policy"] == PagePolicy().version


def test_the_command_shows_a_table_and_draws(tmp_path: Path) -> None:
    """A person sees each ranking in a line of 80 columns, and finds a picture."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, which is not installed")
    write(tmp_path)
    done = run(
        *("evaluate", ".", "--map", "visit=like", "--half-life", "1h", "--targets", "20"),
        *("--png", "hits.png"),
        folder=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    *rows, compared, asked = done.stdout.splitlines()
    assert re.match(r"likewave +\.\d{4} \[\.\d{3} 1?\.\d{3}\] ", rows[1]), rows[1]
    assert max(map(len, rows)) <= 80
    assert "the best single baseline: hr@10" in compared
    assert "20 targets of 3 users" in asked
    assert (tmp_path / "hits.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_policy_of_the_file_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries numbers of pages in a policy file sees them judged, by their version."""
    write(tmp_path)
    (tmp_path / "policy.toml").write_text('half_life = "1h"\n[page]\nsocial_weight = 0\n')
    settings = resolve(policy_file=tmp_path / "policy.toml")
    monkeypatch.setenv("LIKEWAVE_POLICY_FILE", "policy.toml")
    done = run("evaluate", ".", "--map", "visit=like", "--json", folder=tmp_path, settings=settings)
    found = json.loads(done.stdout)

    assert found["half_life_ms"] == HOUR
    assert found["page_policy"] == PagePolicy(social_weight=0).version


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map", "visit=view"], "nothing to foretell: --map a kind of the data set to like or "),
        (["--map", "visit=like", "--split", "9e9"], "no act is in the part to report: choose an"),
        (["--map", "visit=like", "--png", "no/hits.png"], "--png is no/hits.png: there is no fo"),
        ([], "interactions.csv.gz has kinds of its own (visit): say what they mean, --map KIND"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    tmp_path: Path, options: list[str], message: str
) -> None:
    """No stack trace, exit code 1."""
    assert message in complaint(run("evaluate", ".", *options, folder=write(tmp_path)))


@pytest.mark.parametrize("option", [("--half-life", "soon"), ("--split", "-1"), ("--map", "like")])
def test_an_option_that_cannot_be_is_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    """The exit code says that the command was not understood."""
    done = run("evaluate", ".", *option, folder=write(tmp_path))

    assert done.returncode == 2
    assert option[0] in done.stderr


async def test_on_check_ins_pages_foretell_more_than_chance() -> None:
    """On real check-ins a friend's last places say most among the baselines, and pages no less."""
    folder = DATASETS / "gowalla1k"
    if not folder.exists():
        pytest.skip("../shared/datasets/gowalla1k is absent")
    data = read_dataset(folder, {"checkin": "like"}, "befriend")
    options = replace(ALL, split=0.2, part=Part.TUNE, targets=500)
    found = await ask(data, options)
    rate = {one.ranking: one.hr_10 for one in found.rankings}

    assert found.comparison.baseline in ("friend-recency", "friend-count")
    assert found.comparison.verdict != "below"
    assert rate["likewave"] > rate["popularity"] > rate["random"]
