"""What a worker says: one line a fact, to standard error, for people or for machines.

On a terminal a line reads `event key=value …`, elsewhere it is one JSON object. What the libraries
say goes the same way, from warnings on; what they cry out about during every healthy start does
not.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import Processor

OURS = "streams"
NOISE = (
    "GroupCoordinatorNotAvailable",  # of a broker that has just started
    "Heartbeat failed",  # of every rebalance; the one that follows is reported by its outcome
    "OffsetCommit failed",  # commits are telemetry: the fences say what is done
)


def silence() -> None:
    """Keep the libraries quiet: what stops a command is raised, and said once."""
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


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
    handler.addFilter(is_worth_saying)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer()],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(OURS).setLevel(logging.INFO)


def is_worth_saying(record: logging.LogRecord) -> bool:
    """Tell whether we said it ourselves, or a library warns of what not every worker meets.

    >>> lost = logging.LogRecord("aiokafka", 40, "", 0, "Heartbeat failed: %s", ("gone",), None)
    >>> is_worth_saying(lost)
    False
    """
    if isinstance(record.msg, dict):  # structlog's: Faust logs under the names of our modules, too
        return True
    message = record.getMessage()
    return record.levelno >= logging.WARNING and not any(noise in message for noise in NOISE)


def _renderer() -> Processor:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer()
