"""Events as they may be handed in over HTTP, described for the contract of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.events import KINDS
from models.submission import MOST
from streams import contract
from streams.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from streams.problems import Declared

JSON = "application/json"
OPTIONAL = ("at", "user")  # the moment of the request, and who calls
COMPONENTS = "#/components/schemas/"
RESULT = {
    "type": "object",
    "properties": {
        "status": {"enum": ["rejected", "valid"]},
        "field": {"type": "string"},
        "reason": {"type": "string"},
    },
    "required": ["status"],
}
BODY = {"required": True, "content": {JSON: {"schema": {"$ref": COMPONENTS + "events"}}}}
REJECTED: Declared = {
    422: {
        "description": "An event breaks the contract: none is published",
        "content": {MEDIA_TYPE: {"schema": {"$ref": COMPONENTS + "rejected-events"}}},
    }
}


def schemas() -> dict[str, Any]:
    """Describe what BODY and REJECTED name: every kind, one event or a list, the problem."""
    parts = contract.schema()["$defs"]
    kinds = {f"{name}-event": _optional(parts[kind.__name__]) for name, kind in KINDS.items()}
    one = {"$ref": COMPONENTS + "event"}
    listed = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST}
    results = {"type": "array", "items": RESULT}
    rejected = {"type": "object", "properties": {"results": results}}
    return kinds | {
        "event": {"oneOf": [{"$ref": COMPONENTS + name} for name in kinds]},
        "events": {"anyOf": [one, listed]},
        "rejected-events": {"allOf": [{"$ref": COMPONENTS + "Problem"}, rejected]},
    }


def _optional(schema: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in schema["required"] if name not in OPTIONAL]
    return {**schema, "required": required}
