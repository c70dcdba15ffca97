"""The demonstration, whole: a stack, traffic, a live view, and the audit's verdict."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.live import Movements
from tests.command import environment, run, start

if TYPE_CHECKING:
    from pathlib import Path

    from streams.local import Broker

SMALL = ("--seconds", "6", "--users", "60", "--rate", "200")
VERDICT = re.compile(r"^audit: (\d+) users, \1 equal, 0 differing", re.MULTILINE)

pytestmark = pytest.mark.timeout(180)


def seen_on_a_terminal(*arguments: str, folder: Path) -> tuple[int, str]:
    """Run a command on a terminal of its own; give its exit code and all that was to be seen."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=folder,
        env={**environment(), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 65_536):
                seen += chunk
        except OSError:  # Linux says so when the last writer has closed a terminal
            pass
    os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


def test_it_ends_with_all_feeds_equal_and_nothing_left_running(
    tmp_path: Path, broker: Broker
) -> None:
    """Without a terminal it says the pulse in lines, and takes its stack down again."""
    del broker  # a machine on which no broker can run skips here
    done = run("demo", *SMALL, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert VERDICT.search(done.stdout)
    assert "signals/s" in done.stderr
    assert "act to visible: p50" in done.stderr
    assert not (tmp_path / ".likewave" / "stack.json").exists()


def test_on_a_terminal_a_feed_moves_and_the_running_stack_is_used(
    tmp_path: Path, broker: Broker
) -> None:
    """The view shows a feed with its proofs; the stack of the folder outlives the demo."""
    del broker
    with start("up", folder=tmp_path) as up:
        assert up.stdout is not None
        assert up.stdout.readline().startswith("broker ")
        code, seen = seen_on_a_terminal("demo", *SMALL, folder=tmp_path)
        kafka = json.loads(run("config", "--json", folder=tmp_path).stdout)["kafka"]
        stack = json.loads((tmp_path / ".likewave" / "stack.json").read_text())
        up.send_signal(signal.SIGINT)
        up.communicate()

    assert code == 0, seen
    assert "Using the stack that runs in this folder." in seen
    assert re.search(r"\d s ago \+ \d\.\d half-lives +\w+ed by \w+ and \d+ more", seen)
    assert VERDICT.search(seen.replace("\r", ""))
    assert kafka == stack["settings"]["kafka"]
    assert up.returncode == 0


def test_an_arrow_says_for_a_while_which_way_an_item_went() -> None:
    """What stands still loses its mark; what comes back is new again."""
    movements = Movements()
    movements.marks(["a", "b"], 0.0)

    assert movements.marks(["b", "a"], 1.0) == ["▲", "▼"]
    assert movements.marks(["b", "a"], 2.0) == ["▲", "▼"]
    assert movements.marks(["b"], 9.0) == [""]
    assert movements.marks(["b", "a"], 10.0) == ["", "+"]
