"""The contract of the API, fuzzed from outside: it keeps what it says, whatever is sent."""

from __future__ import annotations

import asyncio
import os
from itertools import count
from typing import TYPE_CHECKING

import hypothesis
import pytest
import schemathesis
from hypothesis import given
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from streams import topics
from tests.doors import Doors, serving
from tests.test_api import live, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.settings import Settings

CASES = int(os.environ.get("LIKEWAVE_API_CASES", "300"))  # in all
PUSHED = "/v1/feed/stream"  # has no end: tests/test_stream.py


@pytest.fixture
def doors(settings: Settings, tmp_path: Path) -> Iterator[Doors]:
    """Serve a small network, as a local stack does, so that all doors are there."""
    asyncio.run(topics.ensure(settings))
    live(settings, network())
    with serving(settings, tmp_path, local=True) as doors:
        yield doors


@pytest.mark.timeout(3_600)
@pytest.mark.filterwarnings("ignore:Do not use the `random`")  # the API does, in its own thread
def test_the_contract_is_kept(doors: Doors, seed: int) -> None:
    """Valid or not, signed in or not, every request is answered as declared, and none by 5xx."""
    schema = schemathesis.openapi.from_url(f"{doors.url}/openapi.json")
    operations = [one.ok() for one in schema.exclude(path=PUSHED).get_all_operations()]
    numbers = count()
    answered = 0
    for operation in operations:

        @hypothesis.seed(seed)
        @hypothesis.settings(max_examples=CASES // len(operations), database=None)
        @given(
            case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
            | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        )
        def check(case: schemathesis.Case) -> None:
            nonlocal answered
            answered += 1
            headers = doors.of(f"user{next(numbers) % 50}")
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        check()
    print(f"{answered} cases")  # noqa: T201 - pytest shows it where the test fails
    assert answered
