"""The reference pages of the HTTP API, written from its OpenAPI description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestration.api.app import routes

INTRODUCTION: Final = (
    "What `conductor serve` answers. The same is served as [OpenAPI](openapi.json) under "
    "`/openapi.json`. Optional fields without a value are left out of replies; requests with "
    "unknown fields are refused."
)


def pages(generated: str) -> dict[str, str]:
    """Give each page by its file's name; `generated` says at its top how it came to be."""
    document = routes().openapi()
    return {
        "openapi.json": json.dumps(document, indent=2) + "\n",
        "api.md": "\n\n".join(_page(document, generated)) + "\n",
    }


def _page(document: Mapping[str, Any], generated: str) -> Iterator[str]:
    yield "# HTTP API"
    yield generated
    yield INTRODUCTION
    yield str(document["info"]["description"]).strip()
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    rows = [
        f"| {_link(f'{method} {path}')} | {_cell(operation['description'])} |"
        for method, path, operation in operations
    ]
    yield "\n".join(["| route | what it does |", "|---|---|", *rows])
    for method, path, operation in operations:
        yield from _operation(method, path, operation)
    yield "## Messages"
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method} {path}`"
    yield str(operation["description"])
    if not operation.get("security"):
        yield "Needs no token."
    if parameters := operation.get("parameters"):
        rows = [
            f"| `{one['name']}` | {one['in']} | {_kind(one['schema'])} "
            f"| {_cell(one.get('description', ''))} |"
            for one in parameters
        ]
        yield "\n".join(["| parameter | in | type | meaning |", "|---|---|---|---|", *rows])
    if body := operation.get("requestBody"):
        media = body["content"]["application/json"]
        optional = "" if body.get("required") else " (may be left out)"
        yield f"Body: {_kind(media['schema'])}{optional}, for example"
        yield f"```json\n{json.dumps(media['example'], indent=2)}\n```"
    rows = [
        f"| {status} | {_cell(answer['description'])} | {_answer(answer)} |"
        for status, answer in operation["responses"].items()
    ]
    yield "\n".join(["| status | meaning | body |", "|---|---|---|", *rows])


def _link(title: str) -> str:
    return f"[`{title}`](#{_anchor(title)})"


def _anchor(title: str) -> str:
    """Name a heading as GitHub does in links to it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _answer(answer: Mapping[str, Any]) -> str:
    return ", ".join(_kind(media["schema"]) for media in answer.get("content", {}).values())


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    if description := schema.get("description"):
        yield str(description)
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + "."
    if fields := schema.get("properties"):
        required = set(schema.get("required", ()))
        rows = [
            f"| `{field}` | {_kind(one)} | {_default(one, is_required=field in required)} "
            f"| {_cell(one.get('description', ''))} |"
            for field, one in fields.items()
        ]
        yield "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])


def _default(schema: Mapping[str, Any], *, is_required: bool) -> str:
    if is_required:
        return "required"
    default = schema.get("default")
    return "" if default is None else f"`{json.dumps(default)}`"


def _kind(schema: Mapping[str, Any]) -> str:
    """Name a type as a reader sees it; its limits follow in brackets."""
    if reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if choices := schema.get("anyOf"):
        return " or ".join(_kind(one) for one in choices if one.get("type") != "null")
    kind = str(schema.get("format") or schema.get("type") or "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = ", ".join(
        f"{word} {schema[key]:.0f}" for key, word in _LIMITS.items() if key in schema
    )
    return f"{kind} ({limits})" if limits else kind


_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "from",
    "maximum": "to",
    "minLength": "at least",
    "maxLength": "at most",
}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
