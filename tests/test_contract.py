"""The contract as documents: current, and of one mind with what decodes events."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import EventError
from models.events import KINDS, TOPICS, decode, encode
from streams import contract
from streams.settings import Settings
from tests import command
from tests.test_docs import page, story

if TYPE_CHECKING:
    from models.events import Event

DOCS = Path(__file__).parents[1] / "docs"
PREFIX = Settings.model_fields["topic_prefix"].default

validator = jsonschema.Draft202012Validator(contract.schema())


def is_accepted(document: Any) -> bool:
    """Tell whether the decoder takes a document for an event, maybe of one with themselves."""
    try:
        decode(json.dumps(document).encode())
    except EventError as error:
        return "act on themselves" in str(error)
    return True


def test_the_committed_documents_are_current() -> None:
    """What `likewave contract` writes is what stands in docs/."""
    documents = {
        contract.SCHEMA_FILE: contract.schema(),
        contract.ASYNCAPI_FILE: contract.asyncapi(PREFIX),
    }
    for name, document in documents.items():
        assert (DOCS / name).read_bytes() == contract.text(document), "run `likewave contract`"


def test_the_command_writes_both_for_the_topics_of_the_deployment(
    tmp_path: Path, settings: Settings
) -> None:
    """In a folder of one's choice, with the prefix of one's topics; a missing folder is said."""
    done = command.run("contract", ".", folder=tmp_path, settings=settings)
    refused = command.run("contract", "nowhere", folder=tmp_path)

    assert done.stdout.splitlines() == ["events.schema.json", "asyncapi.json"]
    assert json.loads((tmp_path / "asyncapi.json").read_bytes()) == contract.asyncapi(
        settings.topic_prefix
    )
    assert (refused.returncode, "'nowhere' does not exist" in refused.stderr) == (2, True)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_is_described_by_a_valid_example(kind: type[Event]) -> None:
    """The example of each kind has all its fields, and fits schema, decoder and key."""
    example = contract.example(kind)
    message = contract.asyncapi(PREFIX)["components"]["messages"][example.kind]
    (shown,) = message["examples"]

    assert decode(encode(example)) == example
    assert set(shown["payload"]) == {"kind", *kind.__struct_fields__}
    assert validator.is_valid(shown["payload"])
    assert re.search(message["bindings"]["kafka"]["key"]["pattern"], example.key)


def test_every_channel_carries_the_kinds_of_its_topic() -> None:
    """Each topic is a channel with its own kinds, and every reference leads somewhere."""
    document = contract.asyncapi(PREFIX)
    for topic in TOPICS:
        channel = document["channels"][topic]
        assert channel["address"] == f"likewave.{topic}"
        assert set(channel["messages"]) == {n for n, kind in KINDS.items() if kind.topic == topic}
    for reference in re.findall(
        r'"\$ref":"#/([^"]+)"', json.dumps(document, separators=(",", ":"))
    ):
        found: Any = document
        for step in reference.split("/"):
            found = found[step]
        assert found


def test_the_page_on_events_names_the_keys_of_the_contract() -> None:
    """The record keys of docs/events.md are those under which events travel."""
    rows = re.findall(
        r"^\| `\w+` \| `(\w+)` \|.*\| `?([\w\\|]+)`?[^|]*\|$", page("events.md"), re.MULTILINE
    )
    documented = {kind: key.replace("\\|", "|") for kind, key in rows}
    said = {name: re.sub("[{}]", "", contract.key_of(kind)) for name, kind in KINDS.items()}

    assert documented == {name: key.replace("lesser|greater", "a|b") for name, key in said.items()}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2**52 - 1, 2**52, 2**63]),
    st.sampled_from([0.5, 1.5, "bob", "", "a b", "ä", "x" * 64, "x" * 65]),
    st.lists(st.sampled_from(["bob", "a b", 1]), max_size=3),
    st.lists(st.just("bob"), min_size=8, max_size=9),
    st.lists(st.just("bob"), min_size=200, max_size=201),
)


@given(
    told=st.sampled_from([json.loads(encode(event)) for event in story()]),
    changed=st.dictionaries(st.sampled_from([*contract.EXAMPLE, "kind", "x"]), VALUES, max_size=2),
    left_out=st.sets(st.sampled_from(sorted(contract.EXAMPLE)), max_size=1),
)
def test_schema_and_decoder_agree(
    told: dict[str, Any], changed: dict[str, Any], left_out: set[str]
) -> None:
    """Whatever field is changed or left out, both take the event or both refuse it.

    One rule is beyond a schema: nobody acts on themselves.
    """
    document = {name: value for name, value in (told | changed).items() if name not in left_out}

    assert validator.is_valid(document) == is_accepted(document), document
