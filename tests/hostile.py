"""Hostile histories: few accounts, few items, few moments, so that everything meets everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import events
from models.policy import DAY, HOUR, Policy

if TYPE_CHECKING:
    import random

NOON = 1_790_000_000_000

# How often each happens: acts on and off, by name too, edges made and broken.
SHARES = {
    "like": 30,
    "unlike": 8,
    "share": 8,
    "unshare": 3,
    "share to": 8,
    "unshare to": 3,
    "befriend": 8,
    "unfriend": 5,
    "follow": 5,
    "unfollow": 3,
    "view": 4,
}
# What else may happen; what is final is rare, or there were nothing left to compare.
MORE_SHARES = {
    "post": 8,
    "takedown": 0.4,
    "hide": 4,
    "unhide": 2,
    "block": 3,
    "unblock": 3,
    "mute": 3,
    "unmute": 2,
    "favor": 4,
    "unfavor": 3,
    "erase": 0.1,
}
TOPICS = ("t0", "t1", "t2")
AGES = (None, None, None, 0, DAY - 1, DAY)  # of the account that acts, where the event says it


@dataclass(frozen=True)
class World:
    """How small the world of one history is, and under which policy it is lived."""

    users: int
    items: int
    moments: int  # different values of `at`
    span_ms: int  # from the first to the last of them
    length: int
    policy: Policy
    step: int  # work in one call of the shard functions
    letter: str = "i"  # that items begin with
    whole: bool = False  # everything happens that can, and not only acts and edges
    fan_out_limit: int = 5_000
    warm_days: int = 14

    @classmethod
    def drawn(cls, chance: random.Random) -> World:
        """Draw a world: feeds that overflow, registers that are displaced, acts that expire."""
        return cls(
            users=chance.choice([3, 5, 12]),
            items=chance.choice([5, 20, 60]),
            moments=chance.choice([12, 5_000]),
            span_ms=chance.choice([48 * HOUR, 10 * DAY]),
            length=chance.choice([40, 200, 600]),
            policy=Policy(
                feed_size=chance.choice([4, 8, 20, 120]),
                acts_kept=chance.choice([3, 6, 1_000]),
                direct_kept=chance.choice([2, 100]),
                horizon_ms=chance.choice([60 * HOUR, 7 * DAY]),
            ),
            step=chance.choice([3, 8, 512]),
            whole=chance.random() < 2 / 3,
            fan_out_limit=chance.choice([1, 2, 5_000]),
            warm_days=chance.choice([1, 14]),
        )

    @property
    def shares(self) -> dict[str, float]:
        """Give how often each thing happens here."""
        return SHARES | MORE_SHARES if self.whole else SHARES


def history(world: World, chance: random.Random) -> list[events.Event]:
    """Live one history: a tenth of it repeated, half of the time in the order of `at`."""
    lived = [_event(world, chance) for _ in range(world.length)]
    lived += chance.sample(lived, len(lived) // 10)
    if chance.random() < 0.5:
        lived.sort(key=lambda event: event.at)
    return lived


def _event(world: World, chance: random.Random) -> events.Event:
    """Let somebody do something; each field means the same in every kind."""
    shares = world.shares
    name, _, by_name = chance.choices(list(shares), list(shares.values()))[0].partition(" ")
    others = [f"u{number}" for number in range(world.users)]
    user = others.pop(chance.randrange(world.users))
    at = NOON + chance.randrange(world.moments) * (world.span_ms // world.moments)
    kind = events.KINDS[name]
    drawn = {
        "user": lambda: user,
        "item": lambda: f"{world.letter}{chance.randrange(world.items)}",
        "friend": lambda: chance.choice(others),
        "other": lambda: chance.choice(others),
        "to": lambda: chance.sample(others, chance.randint(1, min(3, len(others)))),
        "topics": lambda: chance.sample(TOPICS, chance.randrange(3)),
        "completion": lambda: chance.choice([None, 0.5, 1.0]),
        "since": lambda: _since(at, chance),
    }
    left_out = set() if by_name else {"to"}
    left_out |= set() if world.whole else {"since"}
    fields = [field for field in kind.__struct_fields__ if field in drawn.keys() - left_out]
    return kind(at=at, **{field: drawn[field]() for field in fields})


def _since(at: int, chance: random.Random) -> int | None:
    age = chance.choice(AGES)
    return None if age is None else at - age
