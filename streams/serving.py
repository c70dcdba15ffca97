"""The commands that open the doors: api, token."""

from typing import Annotated

import typer

from models.errors import AccessError
from streams import logs
from streams.clock import now_ms
from streams.keys import Signer, local_signer
from streams.settings import Settings, load
from streams.terminal import Json, an_id, write_json

app = typer.Typer()


@app.command(epilog="Example: LIKEWAVE_API_KEYS=keys.json likewave api")
def api() -> None:
    """Serve feeds and take events over HTTP until SIGTERM or Ctrl-C; the contract is at /docs.

    Tokens are verified with the keys of LIKEWAVE_API_KEYS, cursors signed with
    LIKEWAVE_API_SECRET; a local stack has its own.
    """
    from streams.serve import serve  # noqa: PLC0415 - FastAPI takes a second to import

    logs.configure()
    settings = load()
    serve(settings, local_signer(settings))


@app.command(epilog='Example: curl -H "Authorization: Bearer $(likewave token ann)" …')
def token(
    user: Annotated[str, typer.Argument(metavar="USER", parser=an_id, help="Whose token.")],
    *,
    operator: Annotated[bool, typer.Option("--operator", help="One of an operator.")] = False,
    minutes: Annotated[float, typer.Option(min=1, max=525_600, help="How long it is valid.")] = 60,
    json: Json = False,
) -> None:
    """Print a token for the API of this folder's local stack; elsewhere tokens are not ours."""
    signed = _signer(load()).token(user, now=now_ms(), minutes=minutes, operator=operator)
    if json:
        write_json({"token": signed})
    else:
        typer.echo(signed)


def _signer(settings: Settings) -> Signer:
    signer = local_signer(settings)
    if signer is None:
        raise AccessError(
            "only a local stack's tokens can be signed here, and none with a key of its own runs "
            "in this folder: start it with `likewave up`, or ask your sign-in service"
        )
    return signer
