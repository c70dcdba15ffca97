"""The log up to the fences of a shard, as a view: what the shard is asked to hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from models.errors import StoreError
from models.shedding import halvings_at
from models.view import View

if TYPE_CHECKING:
    from streams.history import History
    from streams.settings import Settings
    from streams.snapshots import Moment

AT_ONCE = 250  # events: a few ms, in which nothing else is done


class Fold:
    """The view of one shard."""

    def __init__(self, log: History, settings: Settings) -> None:
        """Begin before the log's first event."""
        self._log = log
        self._settings = settings
        self.view = self._begin()
        self._done = dict.fromkeys(log.partitions, 0)  # events applied of each partition

    def _begin(self) -> View:
        return View(self._settings.policy, self._settings.fan_out_limit)

    async def reach(self, shard: int, moment: Moment) -> None:
        """Apply the events before the fences of `moment`, all of them and no other."""
        await self._log.read_to(moment.fences)
        goal = {
            name: part.count_before(moment.fences.get(name, part.begin))
            for name, part in self._log.partitions.items()
        }
        if any(goal[name] < done for name, done in self._done.items()):
            self.view = self._begin()
            self._done = dict.fromkeys(goal, 0)
        for name, part in self._log.partitions.items():
            shed = moment.shed.get(name, ())
            for first in range(self._done[name], goal[name], AT_ONCE):
                new = slice(first, min(first + AT_ONCE, goal[name]))
                for event, offset in zip(part.events[new], part.offsets[new], strict=True):
                    self.view.apply(event, halvings_at(shed, offset))
                self._done[name] = new.stop
                await asyncio.sleep(0)
        await self._follow_time(shard, moment.stream_time)

    async def _follow_time(self, shard: int, stream_time: int) -> None:
        """Take over the shard's stream time, which a batch only partly applied has moved, too."""
        if stream_time < self.view.stream_time:
            raise _wrong_time(
                shard, stream_time, "earlier than what it has applied", self.view.stream_time
            )
        if stream_time > self._log.latest and self._log.is_whole:
            await self._log.read_to_end()
            if stream_time > self._log.latest:
                raise _wrong_time(shard, stream_time, "later than all of the log", self._log.latest)
        self.view.stream_time = stream_time


def _wrong_time(shard: int, stream_time: int, relation: str, at: int) -> StoreError:
    return StoreError(
        f"shard {shard} has stream time {stream_time}, {relation} ({at}): what it forgot is "
        "unknown: `likewave rebuild` makes the feeds anew"
    )
