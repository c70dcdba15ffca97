"""The documentation: links lead somewhere, names exist, examples do what is printed below them."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import random
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from typer.main import get_command

from models import events
from models.decoding import Reason
from models.events import KINDS
from models.policy import Policy
from streams import library
from streams.api import application
from streams.cli import app
from streams.problems import TITLES
from streams.settings import PREFIX, Settings
from tests.doors import with_keys
from tests.feeder import feeding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from streams.local import Store

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
EXAMPLE_STORE = "redis://127.0.0.1:6379/0"
PROMPT = "127.0.0.1:6379> "


def page(name: str) -> str:
    """Read a page of docs/."""
    return (DOCS / name).read_text()


def blocks(text: str, language: str) -> list[str]:
    """Give the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def story() -> list[events.Event]:
    """Give the events of the examples."""
    lines = page("events.jsonl").encode().splitlines()
    return [events.decode(line) for line in lines]


def anchors(path: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    """A link names a file that is there, and a heading that is in it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_source_file_exists(path: Path) -> None:
    """A file of the project that a page names is there."""
    for name in re.findall(r"`((?:models|streams|tests|deploy)/\w+\.\w+)`", path.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", [ROOT / "README.md", DOCS / "operations.md"], ids=lambda p: p.name)
def test_every_setting_is_named_and_every_name_is_a_setting(path: Path) -> None:
    """The environment variables of a page are those of Settings, all of them and no other."""
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text()))

    assert named == {PREFIX + field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_names_a_setting_that_does_not_exist(path: Path) -> None:
    """A variable with our prefix is a field of Settings."""
    for name in re.findall(rf"{PREFIX}([A-Z_]+)", path.read_text()):
        assert name.lower() in Settings.model_fields, name


def test_every_default_stands_as_it_is() -> None:
    """The table of settings gives the default of each."""
    table = dict(
        re.findall(r"^\| `LIKEWAVE_(\w+)` \| `(.*?)` \|", page("operations.md"), re.MULTILINE)
    )
    defaults = {name.upper(): field.default for name, field in Settings.model_fields.items()}

    assert {name: str(defaults[name]) for name in table} == table
    without = {"POLICY", "POLICY_FILE", "API_URL", "API_KEYS", "API_SECRET", "API_ORIGINS"}
    without |= {"KAFKA_USERNAME", "KAFKA_PASSWORD", "METRICS_PORT"}
    without |= {name for name in defaults if name.endswith(("_CA_FILE", "_CERT_FILE", "_KEY_FILE"))}
    assert set(defaults) - set(table) == without


def test_the_policy_file_of_the_docs_is_the_default_policy() -> None:
    """The printed policy file names every number, with its default."""
    (text,) = blocks(page("operations.md"), "toml")
    table = tomllib.loads(text)

    assert Policy.from_table(table) == Policy()
    assert len(table) == len(dataclasses.fields(Policy))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_and_option_exists(path: Path) -> None:
    """What a page tells people to type is a command, with options that it has."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    typed = re.findall(
        r"(?:^ {4}|`|\| |\$ )likewave ([a-z]+)([^`#|\n]*)", path.read_text(), re.MULTILINE
    )
    for name, arguments in typed:
        assert name in commands, name
        command, first = commands[name], arguments.split()[:1]
        if hasattr(command, "commands"):
            command = command.commands[first[0]]
        known = {option for one in command.params for option in one.opts}
        assert set(re.findall(r"(?<!\S)--[\w-]+", arguments)) <= known, f"{name}{arguments}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_make_target_exists(path: Path) -> None:
    """What a page tells people to make is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:\$ |`)make ([a-z]+)", path.read_text())) <= targets


def test_every_key_of_the_store_is_documented() -> None:
    """Each key pattern in the head of the shard functions stands in the page on Redis."""
    head = library.code().partition("]]")[0]
    keys = re.findall(r"^ {4}([a-z]+:\{s\}\S*(?: hour>)?)  ", head, re.MULTILINE)
    documented = page("redis.md").replace("\\|", "|")

    assert len(keys) > 10
    assert [key for key in keys if f"`{key}`" not in documented] == []


def test_the_table_of_kinds_is_the_contract() -> None:
    """Topics, kinds and fields are those of models/events.py, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) \| ", page("events.md"), re.MULTILINE)
    documented = {kind: (topic, set(re.findall(r"`(\w+)`", given))) for topic, kind, given in rows}
    contract = {
        name: (kind.topic, set(kind.__struct_fields__) - {"at"}) for name, kind in KINDS.items()
    }

    assert documented == contract


def test_every_kind_has_an_example() -> None:
    """The examples are valid, written as they travel, and of all kinds."""
    (lines,) = blocks(page("events.md"), "json")

    assert lines == page("events.jsonl")
    assert {event.kind for event in story()} == set(KINDS)
    assert [events.encode(event).decode() for event in story()] == lines.splitlines()


def test_every_problem_is_documented() -> None:
    """The types of problems, and their status, are those that the API answers with."""
    table = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| ", page("api.md"), re.MULTILINE)

    assert {kind: int(status) for kind, status in table} == {
        kind.value: status for kind, (status, _) in TITLES.items()
    }


def test_every_endpoint_is_documented(tmp_path: Path) -> None:
    """The endpoints of the page are those of the contract, and no other."""
    told = set(application(with_keys(Settings(), tmp_path)).openapi()["paths"])
    table = re.findall(
        r"`(?:GET|POST|DELETE) (/[^?`]*)[^`]*`", page("api.md").split("## Access")[0]
    )

    assert set(table) - {"/", "/operator"} == told


def test_every_reason_is_documented() -> None:
    """The reasons for a dead letter are those that a worker gives."""
    table = re.findall(r"^\| `(\w+)` \| (?:is|lacks|has) ", page("events.md"), re.MULTILINE)

    assert set(table) == {reason.value for reason in Reason}


@pytest.fixture
async def told(settings: Settings) -> AsyncIterator[redis.Redis]:
    """Give a client of a store that holds what the examples tell."""
    async with feeding(settings) as feeder:
        for event in story():
            await feeder.feed([event], random.Random(1))
    with redis.Redis.from_url(settings.redis, decode_responses=True, protocol=2) as client:
        yield client


@pytest.mark.parametrize("shards", [1, 4])
def test_python_examples_print_what_stands_below_them(told: redis.Redis, store: Store) -> None:
    """Run one after the other, as a reader would, they print the text that is shown."""
    text = page("redis.md").partition("## Python")[2].partition("## Node")[0]
    programs, outputs = blocks(text, "python"), blocks(text, "text")
    namespace: dict[str, Any] = {}
    del told
    for program, output in zip(programs, outputs, strict=True):
        assert EXAMPLE_STORE in program or namespace
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(program.replace(EXAMPLE_STORE, store.url), namespace)  # noqa: S102  our own page
        assert [line.rstrip() for line in printed.getvalue().splitlines()] == output.splitlines()
    namespace["store"].close()


def test_redis_examples_answer_what_stands_below_them(told: redis.Redis) -> None:
    """What is typed at the prompt is answered as shown."""
    with redis.Redis(connection_pool=told.connection_pool) as client:
        client.response_callbacks.clear()
        for command, answer in sessions():
            found = client.execute_command(*shlex.split(command))
            assert list(shown(found)) == [line[4:] for line in answer.splitlines()], command
    assert len(sessions()) > 5


def sessions() -> list[tuple[str, str]]:
    """Give what is typed at the prompt of the page on Redis, with the answers below it."""
    return re.findall(
        rf"^ {{4}}{PROMPT}(.*)\n((?: {{4}}(?!{PROMPT}).*\n)+)", page("redis.md"), re.MULTILINE
    )


def shown(answer: Any) -> Iterator[str]:
    """Write an answer as redis-cli does."""
    if not isinstance(answer, list):
        text = "OK" if answer == "OK" else f'"{answer}"'
        yield f"(integer) {answer}" if isinstance(answer, int) else text
        return
    for number, one in enumerate(answer, start=1):
        mark = f"{number:>{len(str(len(answer)))}}) "
        first, *others = shown(one)
        yield mark + first
        yield from (" " * len(mark) + line for line in others)
