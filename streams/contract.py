"""The contract as documents: JSON Schema and AsyncAPI, made of the classes that decode events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from models.decoding import Reason
from models.events import DEAD_LETTERS, KINDS, ONE_ID, TOPICS, AnyEvent, encode
from streams.topics import COMPACTED, MESSAGE_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from models.events import Event

    Document: TypeAlias = dict[str, Any]

VERSION = "1.0.0"  # of the contract: a new field or kind raises the second number
SCHEMA_FILE = "events.schema.json"
ASYNCAPI_FILE = "asyncapi.json"
EXAMPLE: dict[str, Any] = {
    "at": 1_795_500_000_000,
    "user": "ann",
    "item": "song",
    "friend": "bob",
    "other": "bob",
    "to": ["bob", "cat"],
    "topics": ["music"],
    "dwell_ms": 8_000,
    "completion": 0.8,
    "since": 1_690_000_000_000,
}
DEAD_LETTER_HEADERS = {
    "topic": "where the record is",
    "partition": "where the record is",
    "offset": "where the record is",
    "reason": "why it cannot be applied",
    "path": "the field that is wrong, such as $.to[3]; $ is the whole",
    "detail": "what is wrong, in words",
    "time": "when it was rejected, Unix ms",
    "truncated": "only where the value was too large for the topic: its size in bytes",
}
_ID = r"[A-Za-z0-9_-]{1,64}"


def schema() -> Document:
    """Describe one event of any kind, as JSON Schema (2020-12)."""
    (one,), parts = msgspec.json.schema_components([AnyEvent], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Likewave event",
        **one,
        "$defs": parts,
    }


def asyncapi(topic_prefix: str) -> Document:
    """Describe the topics and what travels on them, as AsyncAPI 3."""
    _, parts = msgspec.json.schema_components(
        KINDS.values(), ref_template="#/components/schemas/{name}"
    )
    messages = {name: _message(kind) for name, kind in KINDS.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Likewave",
            "version": VERSION,
            "description": "What is published to Kafka, and what could not be applied.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, topic_prefix) for topic in TOPICS}
        | {DEAD_LETTERS: _dead_letters(topic_prefix)},
        "operations": {f"receive-{topic}": _operation("receive", topic) for topic in TOPICS}
        | {f"send-{DEAD_LETTERS}": _operation("send", DEAD_LETTERS)},
        "components": {"messages": messages | {"dead-letter": _letter()}, "schemas": parts},
    }


def write(folder: Path, topic_prefix: str) -> list[Path]:
    """Write both documents into `folder`; give their paths."""
    documents = {SCHEMA_FILE: schema(), ASYNCAPI_FILE: asyncapi(topic_prefix)}
    for name, document in documents.items():
        (folder / name).write_bytes(text(document))
    return [folder / name for name in documents]


def text(document: Document) -> bytes:
    """Write a document down, for people and for comparing by line."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def key_of(kind: type[Event]) -> str:
    """Say what the record key of a kind is made of.

    >>> key_of(KINDS["like"]), key_of(KINDS["block"]), key_of(KINDS["unfriend"])
    ('{user}', 'block|{user}|{other}', 'friend|{lesser}|{greater}')
    """
    names = [name for name in kind.__struct_fields__ if name in ONE_ID]
    ids = {name: f"{{{name}}}" for name in names}
    swapped = dict(zip(names, reversed(ids.values()), strict=True))
    key = kind(at=1, **ids).key
    if len(names) < 2 or key != kind(at=1, **swapped).key:
        return key
    for name, place in zip(sorted(ids.values()), ("{lesser}", "{greater}"), strict=True):
        key = key.replace(name, place)
    return key


def example(kind: type[Event]) -> Event:
    """Make an event with every field of its kind."""
    return kind(**{name: EXAMPLE[name] for name in kind.__struct_fields__})


def _message(kind: type[Event]) -> Document:
    key = key_of(kind)
    pattern = re.sub(r"\\\{\w+\\\}", lambda _: _ID, re.escape(key))
    return {
        "name": kind.__name__.lower(),
        "title": kind.__name__,
        "summary": kind.__doc__,
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "pattern": f"^{pattern}$", "description": key},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"payload": msgspec.json.decode(encode(example(kind)))}],
    }


def _channel(topic: str, prefix: str) -> Document:
    kept = "compact" if topic in COMPACTED else "delete"
    order = (
        "Compacted by key: publish the events of one register in the order of their `at`."
        if topic in COMPACTED
        else "Kept for the horizon. Events may come late, twice, and in any order."
    )
    kinds = [name for name, kind in KINDS.items() if kind.topic == topic]
    return {
        "address": prefix + topic,
        "description": order,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in kinds},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [kept],
                    "max.message.bytes": MESSAGE_BYTES,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _dead_letters(prefix: str) -> Document:
    return {
        "address": prefix + DEAD_LETTERS,
        "description": "Records that could not be applied, key and value untouched.",
        "messages": {"dead-letter": {"$ref": "#/components/messages/dead-letter"}},
    }


def _letter() -> Document:
    headers: Document = {
        name: {"type": "string", "description": said} for name, said in DEAD_LETTER_HEADERS.items()
    }
    headers["reason"]["enum"] = [reason.value for reason in Reason]
    required = [name for name in headers if name != "truncated"]
    return {
        "name": "dead-letter",
        "title": "Dead letter",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": required},
        "payload": {"description": "The value as received."},
    }


def _operation(action: str, topic: str) -> Document:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}
