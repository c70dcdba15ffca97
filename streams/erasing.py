"""The command that erases somebody: erase."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType

from models.errors import SettingsError
from models.moments import moment
from streams import erasure
from streams.erasure import Receipt
from streams.settings import load
from streams.tables import plain
from streams.terminal import Json, Stages, an_id, is_terminal, say, ticker, write_json, write_table

app = typer.Typer()

AFTERWARDS = (
    "the erasure is published, or was just being published: run it again, for the dead letters and "
    "the receipt"
)


@app.command(epilog="Example: likewave erase ann --yes --json > receipt.json")
def erase(
    user: Annotated[str, typer.Argument(metavar="USER", parser=an_id, help="Who is erased.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase an account for ever, wait until it is done, and give a receipt.

    Looks at every key of the store and every dead letter, before and after;
    the exit code is 0 only where nothing names the account any more.
    """
    if not yes and not is_terminal():
        raise SettingsError("an erasure is for ever: --yes says that it is meant")
    if not yes:
        typer.confirm(f"erase {user} for ever? The id cannot be used again", abort=True)
    published: list[int] = []
    try:
        receipt = asyncio.run(_erase(user, published.append, quiet=json))
    except KeyboardInterrupt:
        say(f"likewave: interrupted; {AFTERWARDS if published else 'nothing was published'}")
        raise
    if json:
        write_json({"clean": receipt.is_clean, **msgspec.to_builtins(receipt)})
    else:
        write_table(_table(receipt))
    raise typer.Exit(not receipt.is_clean)


async def _erase(user: str, publishing: Callable[[int], None], *, quiet: bool) -> Receipt:
    with ticker(quiet=quiet) as show:
        return await erasure.erase(load(), user, Stages(show).report, publishing=publishing)


def _table(receipt: Receipt) -> RenderableType:
    table = plain("in the store", "before", "after", "what", right=("before", "after"))
    for one in receipt.traces:
        table.add_row(one.key, f"{one.before:,}", f"{one.after:,}", one.what)
    letters = receipt.letters
    verdict = "nothing in the store and in the dead letters names them any more"
    if not receipt.traces and not letters.removed:
        verdict = "nothing named them before: if the id was mistyped, erase the right one as well"
    if not receipt.is_clean:
        verdict = f"still named in {', '.join(receipt.left) or 'dead letters'}: run it again"
    return Group(
        f"{receipt.user} was erased by the event of {moment(receipt.at)}",
        table,
        f"dead letters: {letters.removed:,} removed, {letters.moved:,} others moved, "
        f"{receipt.letters_left:,} left",
        verdict,
    )
