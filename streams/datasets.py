"""Data sets of other systems as events: a folder of friends.csv.gz and interactions.csv.gz.

    friends.csv.gz        user,friend            a pair may stand in both directions
    interactions.csv.gz   ts,user,item,kind      ts in Unix seconds, in any order

What a data set's kinds mean is for whoever replays it to say; what is not said is left out, and
counted.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from models.errors import EventError, InputError
from models.events import LATEST, Befriend, Follow, Like, Share, Unlike, Unshare, View, check
from models.policy import SECOND
from streams.lines import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from models.events import Event

Edges: TypeAlias = Literal["befriend", "follow"]

FRIENDS = "friends.csv.gz"
INTERACTIONS = "interactions.csv.gz"
MEANINGS: dict[str, type[Like | Unlike | View | Share | Unshare]] = {
    "like": Like,
    "unlike": Unlike,
    "view": View,
    "share": Share,
    "unshare": Unshare,
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """All of a data set: its edges, then its interactions by time; held in memory."""

    events: list[Event]
    edges: int  # of the events
    skipped: dict[str, int]  # interactions left out, by kind


def read_dataset(folder: Path, meanings: Mapping[str, str], edges: Edges) -> Dataset:
    """Read and check a whole folder; raise InputError naming file and line.

    `meanings` gives kinds of the data set as kinds of event (`checkin` -> `like`).
    """
    if not all((folder / name).is_file() for name in (FRIENDS, INTERACTIONS)):
        raise InputError(
            f"{folder} is no data set: give a folder that holds {FRIENDS} and {INTERACTIONS}"
        )
    interactions = list(_rows(folder / INTERACTIONS, ("ts", "user", "item", "kind")))
    kinds = Counter(kind for _, (_, _, _, kind) in interactions)
    _check_meanings(folder / INTERACTIONS, meanings, kinds)
    acts = [_act(place, row, meanings[row[3]]) for place, row in interactions if row[3] in meanings]
    acts.sort(key=lambda event: event.at)
    pairs = _pairs(folder / FRIENDS, edges, at=acts[0].at)
    skipped = {kind: count for kind, count in sorted(kinds.items()) if kind not in meanings}
    return Dataset(pairs + acts, len(pairs), skipped)


def _check_meanings(path: Path, meanings: Mapping[str, str], kinds: Mapping[str, int]) -> None:
    there = ", ".join(sorted(kinds)) or "none"
    if not meanings:
        raise InputError(
            f"{path} has kinds of its own ({there}): say what they mean, --map KIND=like"
        )
    for kind, meaning in meanings.items():
        if kind not in kinds:
            raise InputError(f"{path} has no kind {kind}: map one of those it has ({there})")
        if meaning not in MEANINGS:
            raise InputError(f"--map {kind}={meaning}: map to one of {', '.join(MEANINGS)}")


def _act(place: str, row: Sequence[str], meaning: str) -> Event:
    seconds, user, item, _ = row
    if not seconds.isdecimal() or not 0 < int(seconds) * SECOND < LATEST:
        raise InputError(f"{place}: ts is {seconds[:80]!r}: give Unix seconds")
    event = MEANINGS[meaning](at=int(seconds) * SECOND, user=user, item=item)
    return _checked(event, place)


def _pairs(path: Path, edges: Edges, at: int) -> list[Event]:
    kind = {"befriend": Befriend, "follow": Follow}[edges]
    pairs: dict[str, Event] = {}
    for place, (user, friend) in _rows(path, ("user", "friend")):
        event = _checked(kind(at=at, user=user, friend=friend), place)
        pairs.setdefault(event.key, event)
    return list(pairs.values())


def _checked(event: Event, place: str) -> Event:
    try:
        check(event)
    except EventError as error:
        raise InputError(f"{place}: {error} (at {error.path}): mend or remove the line") from error
    return event


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """Read the rows of a table, each with its place for a complaint."""
    with readable(path) as file:
        reader = csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""), strict=True)
        try:
            header = next(reader, [])
            if header != list(columns):
                raise InputError(f"{path}:1: the columns are {header}, wanted are {list(columns)}")
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if len(row) != len(columns):
                    raise InputError(f"{place}: {len(row)} fields, wanted are {len(columns)}")
                yield place, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{path}:{reader.line_num + 1}: {error}: mend the line") from error
