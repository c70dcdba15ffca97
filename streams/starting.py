"""Ctrl-C while a command is still being imported: it ends at once, without a trace.

To import this is to begin, so it comes before all that takes time, and takes none itself; `over`
leaves Ctrl-C to whoever had it. What comes before, for some hundredths of a second, is Python's:
where Ctrl-C meets its own start (`site`) or the lines of the console script, it tells a trace.
"""

import signal

_WITH_TRACE = signal.default_int_handler
_is_ours = signal.getsignal(signal.SIGINT) is _WITH_TRACE  # somebody may have it ignored
if _is_ours:
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    except ValueError:  # another thread than the main one, which alone hears of signals
        _is_ours = False


def over() -> None:
    """Let Ctrl-C be an exception again: what runs has something to bring to its end."""
    if _is_ours:
        signal.signal(signal.SIGINT, _WITH_TRACE)
