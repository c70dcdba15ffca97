"""What a worker says: one line a fact, to standard error, for people or for machines.

On a terminal a line reads `event key=value …`, elsewhere it is one JSON object. What the libraries
say goes the same way, from warnings on, but not what they say of every healthy start and rebalance,
nor of an error of ours, which is the worker's last line; and the same thing only once in a while:
during an outage they repeat it ten times a second.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING

import structlog

from models.errors import LikewaveError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import Processor

OURS = "streams"
NOISE = (
    "GroupCoordinatorNotAvailable",  # of a broker that has just started
    "Heartbeat failed",  # of every rebalance; the one that follows is reported by its outcome
    "OffsetCommit failed",  # commits are telemetry: the fences say what is done
    "RuntimeError('Event loop is closed')",  # of a worker that has failed, and is stopped twice
    "Stream stopped processing, or is slow",  # of a store that is away: the watchdog says that
    "seek when flow not active",  # of a fetch during a rebalance, or while the worker leaves
)
REPEATED_S = 10.0  # before a library may say the same thing again


def silence() -> None:
    """Keep the libraries quiet: what stops a command is raised, and said once."""
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def mute() -> None:
    """Say nothing of our own: what a command shows once is all that it has to say."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def configure() -> None:
    """Send all logs of this process to standard error."""
    shared: Sequence[Processor] = (
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Sparing(time.monotonic))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer()],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)


class Sparing:
    """Lets through what we say, and of the libraries what is neither noise nor said just now.

    >>> def lost(message: str) -> logging.LogRecord:
    ...     return logging.LogRecord("aiokafka", logging.ERROR, "", 1, message, None, None)
    >>> sparing = Sparing(iter([100.0, 101.0, 111.0]).__next__)
    >>> sparing(lost("Heartbeat failed: gone"))
    False
    >>> [sparing(lost("Unable to connect")) for _ in range(3)]
    [True, False, True]
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[tuple[str, int], float] = {}  # by the place in the code

    def __call__(self, record: logging.LogRecord) -> bool:
        """Tell whether `record` is worth a line."""
        if isinstance(record.msg, dict):  # structlog's; Faust uses the names of our modules, too
            return True
        message = record.getMessage()
        if record.levelno < logging.WARNING or any(noise in message for noise in NOISE):
            return False
        if record.exc_info and isinstance(record.exc_info[1], LikewaveError):
            return False
        place, now = (record.pathname, record.lineno), self._clock()
        if now - self._said.get(place, -REPEATED_S) < REPEATED_S:
            return False
        self._said[place] = now
        return True


def _renderer() -> Processor:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer()
