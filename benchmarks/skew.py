"""Clocks that can be set: programs under libfaketime, whose clock is as far off as a file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streams.local import Broker, Store

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = "/usr/lib", "/usr/lib64", "/usr/local/lib"
RIGHT_S, HOUR_S = 0, 3_600


class Clock:
    """The clock of one program; right for good where libfaketime is not installed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(RIGHT_S)

    def set(self, ahead_s: int) -> None:
        """Put it so many seconds ahead; the program sees it within a second."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(f"{ahead_s:+d}\n")

    def around(self, command: Sequence[str]) -> list[str]:
        """Give a command that runs `command` by this clock; what waits goes by the true one."""
        if (library := faketime()) is None:
            return list(command)
        given = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # with it Java waits for ever
        }
        return ["env", *(f"{name}={value}" for name, value in given.items()), *command]


class SkewedBroker(Broker):
    """A Kafka whose clock can be set."""

    def __init__(self, data_dir: Path, libs: Path) -> None:
        super().__init__(data_dir, libs=libs)
        self.clock = Clock(data_dir.absolute() / "clock")

    def command(self) -> Sequence[str]:
        """Give the command that runs it."""
        return self.clock.around(super().command())


class SkewedStore(Store):
    """A Valkey whose clock can be set."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.clock = Clock(data_dir.absolute() / "clock")

    def command(self) -> Sequence[str]:
        """Give the command that runs it."""
        return self.clock.around(super().command())


def faketime() -> Path | None:
    """Find libfaketime; None where it is not installed."""
    return next(
        (file for place in PLACES for file in Path(place).glob("**/libfaketime.so.1")), None
    )
