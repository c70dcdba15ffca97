"""What the value of a setting may be, and what to give instead of one that it may not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redis.asyncio.connection import parse_url

from models.counting import counted

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


def redis_url(url: str) -> str:
    """Give the URL of a store; raise ValueError on any other."""
    try:
        parse_url(url)
    except ValueError as error:
        raise ValueError("give a URL such as redis://127.0.0.1:6379/0") from error
    return url


def servers(listed: str) -> str:
    """Give a list of servers; raise ValueError on anything else."""
    for server in listed.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError("give host:port[,host:port …]")
    return listed


def origins(listed: str) -> str:
    """Give a list of origins; raise ValueError on anything else."""
    for origin in filter(None, listed.split(",")):
        if not re.fullmatch(r"https?://[^/\s]+", origin):
            raise ValueError("give https://host[:port][,https://host …], without paths")
    return listed


def advice(wrong: ErrorDetails, field: FieldInfo) -> str:
    """Say what to give where a value is wrong: in our words, but for kinds that hardly occur."""
    match wrong["type"], wrong.get("ctx", {}):
        case "int_parsing" | "int_parsing_size" | "greater_than_equal" | "less_than_equal", _:
            return f"give a whole number{_bounds(field)}"
        case "enum", {"expected": names}:
            return "give " + str(names).replace("'", "")
        case "dataclass_type", _:
            return "give a JSON object of numbers"
        case "string_too_short" | "too_short", {"min_length": least}:
            return f"give at least {counted(least, 'character')}"
        case "string_pattern_mismatch", {"pattern": pattern}:
            return f"give one that matches {pattern}"
    return wrong["msg"].removeprefix("Value error, ")


def _bounds(field: FieldInfo) -> str:
    least = next((one.ge for one in field.metadata if hasattr(one, "ge")), None)
    most = next((one.le for one in field.metadata if hasattr(one, "le")), None)
    if most is None:
        return f", {least} or more"
    return f" from {least} to {most}"
