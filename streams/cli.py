"""The `likewave` command: one line for whatever a person can mend, and never a stack trace.

The exit code is 0 where all is well, 1 where something failed or differs, 2 where the command was
not understood, and 130 after Ctrl-C; those of `likewave lag` are verdicts.
"""

import sys

from streams import starting  # isort: split

import typer

from models.errors import LikewaveError
from streams import (
    checking,
    dlq,
    erasing,
    inspection,
    judging,
    logs,
    monitoring,
    operation,
    publication,
    serving,
    showing,
    store,
    upkeep,
)
from streams.terminal import say

app = typer.Typer(
    name="likewave",
    help="Live feeds: what the people around you like and share, the moment they do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    *(operation, publication, inspection, checking, monitoring),
    *(showing, judging, serving, upkeep, erasing),
)
for commands in COMMANDS:
    app.add_typer(commands.app)
app.add_typer(dlq.app, name="dlq")
starting.over()


def main() -> None:
    """Run the command that the arguments name."""
    logs.silence()
    store.called.set("-".join(["likewave", *sys.argv[1:2]]))
    try:
        app(prog_name=app.info.name)
    except LikewaveError as error:
        say(f"likewave: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
