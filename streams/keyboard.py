"""Keys that are pressed while something runs in a terminal, one by one."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def pressed(key: str, act: Callable[[], None]) -> Iterator[None]:
    """Call `act` whenever `key` is pressed; where nobody can press any, do nothing."""
    if not sys.stdin.isatty():
        yield
        return
    terminal, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(terminal)

    def read() -> None:
        taken = os.read(terminal, 1_024)
        if not taken:  # the terminal is gone
            loop.remove_reader(terminal)
        if key.encode() in taken:
            act()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
