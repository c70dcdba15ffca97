"""The command that looks after a deployment: doctor."""

import asyncio
from typing import Annotated

import typer

from models.finding import has_failed
from streams import check_tables, doctor
from streams.terminal import Json, say, write_json, write_table

app = typer.Typer()


@app.command("doctor", epilog="Example: likewave doctor --fix")
def doctor_(
    *,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended without losing anything.")
    ] = False,
    json: Json = False,
) -> None:
    """Check host, Kafka, store and what is between them; say what mends each fault.

    --fix creates missing topics, sets retention, sizes and timestamp type of topics, sets
    maxmemory-policy, and loads the shard functions where they are absent or older. It deletes
    nothing. The exit code is 1 where something has failed, 0 where there are warnings only.
    """
    diagnosis = asyncio.run(doctor.diagnose(fix=fix))
    if json:
        write_json(diagnosis)
    else:
        for step in diagnosis.done:
            say(step)
        write_table(check_tables.findings(diagnosis.findings))
    raise typer.Exit(has_failed(diagnosis.findings))
