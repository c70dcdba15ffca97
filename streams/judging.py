"""The command that judges rankings: evaluate."""

import asyncio
import math
from pathlib import Path
from typing import Annotated

import typer

from models.errors import PolicyError, SettingsError
from models.evaluation import Part, at_half_life
from models.policy import milliseconds
from streams import charts
from streams import evaluation as evaluator
from streams.datasets import Dataset, Edges, read_dataset
from streams.page_policies import LivePolicies
from streams.replay import parse_meanings
from streams.settings import Settings, resolve
from streams.terminal import Json, Meanings, Stages, ticker, write_json, write_table

EARLIEST_S = 100_000_000  # a split below is no date of any data set, but a mistyped share
app = typer.Typer()


@app.command(
    epilog="Example: likewave evaluate gowalla1k --map checkin=like --half-life 7d --png hits.png"
)
def evaluate(  # noqa: PLR0913 - a person chooses each of them
    dataset: Annotated[
        Path,
        typer.Argument(metavar="DATASET", help="Folder of friends.csv.gz and interactions.csv.gz."),
    ],
    *,
    meanings: Meanings = None,
    edges: Annotated[Edges, typer.Option(help="What the data set's friends are.")] = "befriend",
    half_life: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="Of feeds, trending and baselines: 30m, 7d; as in the policy."
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            metavar="TS|SHARE", help="Where the part to report begins: Unix seconds, or 0.6."
        ),
    ] = "0.6",
    part: Annotated[Part, typer.Option(help="Which side of the split is asked for.")] = Part.REPORT,
    targets: Annotated[int, typer.Option(min=1, help="At most so many, by chance.")] = 4_000,
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 1,
    png: Annotated[Path | None, typer.Option(help="Draw the result there as well.")] = None,
    json: Json = False,
) -> None:
    """Measure how well pages foretell what people did next, against plain rankings.

    Every first like or share of an item is a target: each ranking is asked
    at its moment, before the shards know of it. The pages are those of the
    real shard functions, in a private store, under the page policy of
    control; the running stack is left alone.
    """
    settings = _at_pace(resolve(), half_life)
    options = evaluator.EvaluationOptions(
        page_policy=LivePolicies(settings).current().control,
        split=_split(split),
        part=part,
        targets=targets,
        seed=seed,
    )
    if png is not None:
        charts.check_drawing(png)
    read = read_dataset(dataset, _meanings(meanings or []), edges)
    found = asyncio.run(_evaluate(settings, read, options, quiet=json))
    if png is not None:
        charts.draw(found, dataset.resolve().name, png)
    if json:
        write_json(found)
    else:
        write_table(charts.table(found))


async def _evaluate(
    settings: Settings, dataset: Dataset, options: evaluator.EvaluationOptions, *, quiet: bool
) -> evaluator.Evaluation:
    with ticker(quiet=quiet) as show:
        return await evaluator.evaluate(settings, dataset, options, Stages(show).report)


def _at_pace(settings: Settings, half_life: str | None) -> Settings:
    if half_life is None:
        return settings
    try:
        pace = milliseconds("--half-life", half_life)
        policy = at_half_life(settings.policy, pace)
    except PolicyError as error:
        raise typer.BadParameter(str(error)) from error
    return settings.model_copy(update={"policy": policy})


def _split(text: str) -> float:
    try:
        split = float(text)
    except ValueError:
        split = math.nan
    if not (0 < split < 1 or EARLIEST_S <= split < math.inf):
        raise typer.BadParameter(
            f"--split is {text!r}: give Unix seconds, or a share between 0 and 1"
        )
    return split


def _meanings(texts: list[str]) -> dict[str, str]:
    try:
        return parse_meanings(texts)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
