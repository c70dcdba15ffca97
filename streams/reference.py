"""The contract as a page for people, at /docs: made from /openapi.json, without scripts."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, TypeAlias

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from streams.web_page import ASKED_AGAIN, site

Schema: TypeAlias = Mapping[str, Any]

BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "from {} characters",
    "maxLength": "to {} characters",
    "minItems": "from {} entries",
    "maxItems": "to {} entries",
    "pattern": "matching {}",
    "default": "else {}",
}
NAMED = "#/components/schemas/"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Give the contract of this application."""
    page = render(request.app.openapi(), f"/static/{site().version}/reference.css")
    return HTMLResponse(page, headers={"Cache-Control": ASKED_AGAIN})


def render(contract: Schema, style: str) -> str:
    """Write the page of a contract; `style` is the address of its style sheet."""
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    ]
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(contract['info']['title'])} API</title>",
            f'<link rel="stylesheet" href="{escape(style)}"></head><body><header>',
            f"<h1>{escape(contract['info']['title'])} API</h1>",
            f"<p>{escape(contract['info'].get('summary', ''))}</p>",
            '<p>For machines: <a href="/openapi.json">openapi.json</a></p><nav><ul>',
            *(
                f'<li><a href="#{_anchor(name)}"><code>{name}</code></a></li>'
                for name, _ in operations
            ),
            "</ul></nav></header><main>",
            *(part for name, operation in operations for part in _operation(name, operation)),
            "<h2>Shapes</h2>",
            *(
                part
                for name, schema in sorted(contract["components"]["schemas"].items())
                for part in _named(name, schema)
            ),
            "</main></body></html>",
        ]
    )


def _anchor(name: str) -> str:
    return escape("".join(letter if letter.isalnum() else "-" for letter in name.lower()))


def _operation(name: str, operation: Schema) -> Iterator[str]:
    yield f'<section><h2 id="{_anchor(name)}"><code>{escape(name)}</code></h2>'
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    if operation.get("security"):
        yield "<p>Needs a token.</p>"
    if parameters := operation.get("parameters"):
        rows = [(_parameter(one), _shape(one["schema"]), _told(one)) for one in parameters]
        yield from _table("Parameters", rows)
    if body := operation.get("requestBody"):
        yield from _table("Body", _contents(body["content"]))
    yield from _table("Answers", _answers(operation["responses"]))
    yield "</section>"


def _parameter(parameter: Schema) -> str:
    needed = "" if parameter.get("required") else "?"
    return f"<code>{escape(parameter['name'])}</code>{needed} in {escape(parameter['in'])}"


def _answers(responses: Schema) -> Iterator[tuple[str, ...]]:
    for status, answer in sorted(responses.items()):
        shapes = [shape for _, shape in _contents(answer.get("content", {}))]
        yield escape(status), ", ".join(shapes), escape(answer["description"])


def _contents(content: Schema) -> Iterator[tuple[str, str]]:
    for media_type, given in content.items():
        yield f"<code>{escape(media_type)}</code>", _shape(given.get("schema", {}))


def _named(name: str, schema: Schema) -> Iterator[str]:
    yield f'<section><h3 id="{_anchor(name)}">{escape(name)}</h3>'
    yield f"<p>{escape(schema.get('description', ''))}</p>"
    rows = [
        (f"<code>{escape(field)}</code>", _shape(one), _told(one))
        for field, one in schema.get("properties", {}).items()
    ]
    yield from _table("", rows) if rows else [f"<p>{_shape(schema)}</p>"]
    yield "</section>"


def _shape(schema: Schema) -> str:
    """Say what a value looks like."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(NAMED)
        return f'<a href="#{_anchor(name)}">{escape(name)}</a>'
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_shape, choices))
    if "const" in schema or "enum" in schema:
        return " or ".join(escape(repr(one)) for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))


def _told(described: Schema) -> str:
    """Say the rest: bounds, and what it means."""
    schema = described.get("schema", described)
    bounds = [told.format(schema[name]) for name, told in BOUNDS.items() if schema.get(name)]
    return escape("; ".join([*bounds, *filter(None, [described.get("description")])]))


def _table(title: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"<table><caption>{title}</caption>" if title else "<table>"
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</table>"
