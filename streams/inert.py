"""What somebody else wrote, made inert: no terminal takes any of it for a command.

Whatever is not printable is escaped: control codes, ESC among them, and the marks that turn the
direction of text. So is the backslash, or an escape could not be told from what looks like one.
"""

from __future__ import annotations

import base64
import json

import msgspec
import typer


def inert(raw: bytes | str | None) -> str:
    r"""Write bytes down for a person.

    >>> print(inert(b"a\x1b[31m\xff \xe2\x80\xae\\"))
    a\x1b[31m\xff \u202e\\
    >>> inert(None)
    ''
    """
    if raw is None:
        return ""
    text = raw if isinstance(raw, str) else raw.decode(errors="surrogateescape")
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter.isprintable():
        return "\\\\" if letter == "\\" else letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


def document(name: str, raw: bytes | None) -> dict[str, str | None]:
    """Write bytes down for a script: as text where they are UTF-8, and as base64 otherwise."""
    if raw is None:
        return {name: None}
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(raw).decode()}


def write_inert_json(value: object) -> None:
    """Write one JSON document in ASCII to standard output."""
    typer.echo(json.dumps(msgspec.to_builtins(value), indent=2))
