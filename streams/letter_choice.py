"""Which dead letters a command is about: options, what they mean, and whether it is agreed to."""

import re
from typing import Annotated

import typer

from models.counting import counted
from models.decoding import Reason
from models.errors import PolicyError
from models.events import TOPICS
from models.letters import Letter, Place, Selection
from models.policy import milliseconds
from streams import letter_tables
from streams.clock import now_ms
from streams.settings import Settings
from streams.terminal import is_terminal, say, write_table


def ago(given: str) -> int:
    """Read how long ago something was, as its moment (Unix ms)."""
    try:
        return now_ms() - milliseconds("it", given)
    except PolicyError as error:
        raise typer.BadParameter(str(error)) from error


def place(given: str) -> Place:
    """Read the address of a letter."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,18})", given)
    if match is None:
        raise typer.BadParameter(f"{given!r}: give PARTITION:OFFSET, as `likewave dlq ls` does")
    return Place(int(match[1]), int(match[2]))


def source(given: str) -> str:
    """Read the name of a partition."""
    topic, _, number = given.rpartition(":")
    if not (topic and number.isdecimal()):
        raise typer.BadParameter(f"{given!r}: give TOPIC:PARTITION, as `likewave dlq ls` does")
    return given


Reasons = Annotated[Reason | None, typer.Option("--reason", help="Why they were rejected.")]
Topic = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Where they came from: likes, …")
]
Partition = Annotated[int | None, typer.Option("--partition", min=0, help="Of that topic.")]
Since = Annotated[
    int | None,
    typer.Option("--since", metavar="AGO", parser=ago, help="Rejected since: 30m, 6h, 2d ago."),
]
Until = Annotated[
    int | None,
    typer.Option("--until", metavar="AGO", parser=ago, help="Rejected until: 30m, 6h, 2d ago."),
]
Places = Annotated[
    list[Place] | None,
    typer.Argument(metavar="PARTITION:OFFSET", parser=place, help="Letters, one by one."),
]
Sources = Annotated[
    list[str], typer.Argument(metavar="TOPIC:PARTITION", parser=source, help="Are held.")
]
Everything = Annotated[bool, typer.Option("--all", help="All that are open.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def selection(  # noqa: PLR0913, PLR0917  what letters may be chosen by
    settings: Settings,
    reason: Reason | None,
    topic: str | None,
    partition: int | None,
    since: int | None,
    until: int | None,
    places: list[Place] | None = None,
) -> Selection:
    """Give the letters that the options mean."""
    return Selection(
        places=frozenset(places or ()),
        reason=reason,
        topic=None if topic is None else settings.topic(named(settings, topic)),
        partition=partition,
        since=since or 0,
        until=until,
    )


def named(settings: Settings, topic: str) -> str:
    """Give the name of a topic of events without the prefix, which it may be given with."""
    name = topic.removeprefix(settings.topic_prefix)
    if name not in TOPICS:
        raise typer.BadParameter(f"no topic {topic!r}: one of {', '.join(TOPICS)}")
    return name


def check_chosen(chosen: Selection, *, everything: bool) -> None:
    """Refuse to deal with all letters unless it was asked for."""
    if (chosen == Selection()) != everything:
        raise typer.BadParameter("name letters or filters, or give --all without any")


def is_agreed(found: list[Letter], offer: str, *, yes: bool, json: bool) -> bool:
    """Tell whether `offer` may be done to letters: to one it is, of more somebody has to agree."""
    if yes or len(found) <= 1:
        return True
    if json or not is_terminal():
        matching = counted(len(found), "letter matches", "letters match")
        say(f"likewave: {matching}; --yes would {offer}")
        return False
    write_table(letter_tables.groups(found, now=now_ms()))
    return typer.confirm(f"{counted(len(found), 'letter')}: {offer}?")
