"""The `likewave` command as a person or a script runs it: a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from streams.settings import DATA_DIR, LOCK_FILE, PREFIX, STACK_FILE, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SECURE = [name for name in Settings.model_fields if name.startswith(("kafka_", "redis_"))]
TOLD = ("kafka", "redis", "shards", "partitions", "topic_prefix", "group", "shed_lag")
TOLD += ("monitor_port",)
PATIENCE_S = 90
FAILED = {"lag": 3}  # exit codes of commands that have others than 1


def environment(settings: Settings | None = None) -> dict[str, str]:
    """Give the environment that names `settings`, or none of this machine's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    named = {} if settings is None else told(settings)
    if settings is not None and settings.policy_file is not None:
        named["LIKEWAVE_POLICY_FILE"] = str(settings.policy_file)
    return {**kept, **named, "PYTHONPATH": str(ROOT)}


def told(settings: Settings) -> dict[str, str]:
    """Give the variables that lead a process to the servers of `settings`."""
    named = {name: getattr(settings, name) for name in (*TOLD, *SECURE)}
    if settings.kafka_password is not None:
        named["kafka_password"] = settings.kafka_password.get_secret_value()
    named["policy"] = json.dumps(asdict(settings.policy))
    return {PREFIX + name.upper(): str(value) for name, value in named.items() if value is not None}


@contextmanager
def stack_in(folder: Path, **settings: object) -> Iterator[None]:
    """Have a stack run in `folder`, as far as its file and its lock can tell."""
    (folder / DATA_DIR).mkdir()
    (folder / STACK_FILE).write_text(json.dumps({"settings": settings}))
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(
    *arguments: str, folder: Path, settings: Settings | None = None, stdin: int | None = None
) -> subprocess.Popen[str]:
    """Start a command in `folder`, which hears Ctrl-C even where this process was told not to."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "streams.cli", *arguments],
        cwd=folder,
        env=environment(settings),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    *arguments: str, folder: Path, settings: Settings | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with start(*arguments, folder=folder, settings=settings) as process:
        try:
            output, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Give the one line with which a command failed; there must be no other, nor any output."""
    assert done.returncode == FAILED.get(done.args[0], 1), done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("likewave: ")
    return lines[0].removeprefix("likewave: ")
