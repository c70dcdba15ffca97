"""What can go wrong, as one tree: each class says when, each message what to do.

::

    LikewaveError
    ├── PolicyError      a policy number is missing, out of range or at odds with another
    ├── SettingsError    an environment variable or option cannot be used
    ├── EventError       an event breaks the contract (`path` names the field)
    ├── InputError       a file or stream of events cannot be read
    ├── CursorError      what should be the cursor of a page is none
    ├── AccessError      a token or a ticket is not valid
    ├── StackError       the local stack cannot start
    ├── BrokerError      Kafka is out of reach, or its topics are not as required
    │   └── StuckError   events wait and none is applied
    └── StoreError       Redis is out of reach, or not as required
        ├── RewindError  a shard holds less than it did: flushed, restored, or writes lost
        └── GapError     the log between a shard's fence and a batch was skipped
"""


class LikewaveError(Exception):
    """Anything Likewave says to a person: what is wrong, where, and what to do."""


class PolicyError(LikewaveError, ValueError):
    """A policy number is missing, out of range or at odds with another."""


class SettingsError(LikewaveError, ValueError):
    """An environment variable or an option cannot be used."""


class EventError(LikewaveError, ValueError):
    """An event breaks the contract; `path` names the field (`$.to[3]`)."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.path = path


class InputError(LikewaveError):
    """A file or stream of events cannot be read; the message names file and line."""


class CursorError(LikewaveError, ValueError):
    """A cursor was changed on its way, or was never one."""


class AccessError(LikewaveError):
    """A token or a ticket is missing, expired, or was never valid."""


class StackError(LikewaveError):
    """The local stack cannot start: something is missing, or in the way."""


class BrokerError(LikewaveError):
    """Kafka is out of reach, or its topics are not as Likewave needs them.

    `acknowledged` of the first events that were to be published are in the log all the same.
    """

    def __init__(self, message: str, *, acknowledged: int = 0) -> None:
        super().__init__(message)
        self.acknowledged = acknowledged


class StuckError(BrokerError):
    """Events wait in a partition, and for a long while none was applied."""


class StoreError(LikewaveError):
    """Redis is out of reach, or not as Likewave needs it."""


class RewindError(StoreError):
    """A shard holds less of the log than it did: it was flushed or restored, or lost writes."""


class GapError(StoreError):
    """A batch begins beyond its shard's fence: events between them are not in the shard."""
