"""Measures one round: time on the wall, CPU time of this process, CPU time of the store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import redis

from benchmarks.report import Sample

if TYPE_CHECKING:
    from streams.local import Store


class Stopwatch:
    """A context whose duration becomes the `sample` of `count` things done in it."""

    sample: Sample

    def __init__(self, store: Store, count: int) -> None:
        self._store = store
        self._count = count

    def __enter__(self) -> Self:
        """Begin."""
        self._store_cpu_s = store_cpu_s(self._store)
        self._cpu_s, self._began = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        seconds = time.perf_counter() - self._began
        cpu_s = time.process_time() - self._cpu_s
        used_s = store_cpu_s(self._store) - self._store_cpu_s
        self.sample = Sample(self._count, seconds, cpu_s, used_s)


def store_cpu_s(store: Store) -> float:
    """Give the CPU time that a store's process has used."""
    with redis.Redis.from_url(store.url) as client:
        used: dict[str, float] = client.info("cpu")
    return used["used_cpu_user"] + used["used_cpu_sys"]
