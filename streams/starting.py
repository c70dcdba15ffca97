"""Ctrl-C while a command is still being imported: it ends at once, without a trace.

To import this is to begin, so it comes before all that takes a second; `over` leaves Ctrl-C to
whoever had it.
"""

import signal
import threading

_WITH_TRACE = signal.default_int_handler
_is_ours = (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is _WITH_TRACE  # somebody may have it ignored
)
if _is_ours:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def over() -> None:
    """Let Ctrl-C be an exception again: what runs has something to bring to its end."""
    if _is_ours:
        signal.signal(signal.SIGINT, _WITH_TRACE)
