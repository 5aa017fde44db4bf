"""Requests of every modelled method, made of its discovery document at random.

The bodies have the shape that Google's documents ask for; `damaged` breaks it somewhere.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.cloud.discovery.documents import Method

# What there is in the cloud that requests are sent to, by the collection's word in a path.
KNOWN_IDS: Mapping[str, str] = {
    "b": "data",
    "buckets": "data",
    "databases": "appdb",
    "datasets": "sales",
    "jobs": "nightly",
    "locations": "europe-west1",
    "o": "report",
    "projects": "local-proj",
    "repositories": "images",
    "roles": "reader",
    "secrets": "key",
    "serviceAccounts": "worker@local-proj.iam.gserviceaccount.com",
    "services": "storage.googleapis.com",
    "subscriptions": "bill",
    "tables": "orders",
    "topics": "orders",
    "versions": "1",
}
_TEXTS = (
    *("", "a", "orders", "-", "*", "é☃", "\x00", "a/b", "x" * 300, "latest", "EU", "labels"),
    *("*/5 * * * *", "Etc/UTC", "user:a@b.test", "roles/viewer", "http://127.0.0.1:9/x"),
    *("projects/local-proj/topics/orders", "projects/123456789012/secrets/key", "STRING"),
)
_FORMATS: Mapping[str, tuple[Any, ...]] = {
    "byte": ("", "eA==", "ACAB"),
    "date-time": ("2030-01-02T03:04:05Z",),
    "double": (0.5, 2),
    "float": (0.5, 2),
    "google-datetime": ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05.123456789+01:00"),
    "google-duration": ("0s", "60s", "3600.5s", "-1s", "700000s"),
    "google-fieldmask": ("labels", "name", "*", "description"),
    "int32": (0, 1, 8080, -1, 2**31 - 1),
    "int64": ("0", "1", "604800", "-1", str(2**63 - 1)),
    "uint32": (0, 1),
    "uint64": ("0", "5"),
}
_WRONG: tuple[Any, ...] = (
    *([], {}, "abc", "", 1.5, True, None, -1, 10**30, "9" * 40, [[]], [None], {"": None}),
    *(["a"], {"a": {"b": 1}}, "\x00", "2030-13-01T00:00:00Z", "12x"),
)
_DEEPEST = 5


@dataclass(frozen=True)
class RandomRequest:
    """One request, ready for a client."""

    http_method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def content(self) -> bytes | None:
        """The body's bytes."""
        return None if self.body is None else json.dumps(self.body).encode()


def address(method: Method, rng: random.Random, *, is_known: bool) -> str:
    """A path of the method: to what is there, or sometimes to what is not."""
    words = [method.api.prefix]
    before = ""
    for segment in method.segments:
        if segment.literal is not None:
            words.append(segment.literal)
            before = segment.literal
            continue
        known = KNOWN_IDS.get(before, "none")
        is_place = before in ("projects", "locations")
        other = rng.choice(("none", "a%2Fb", "%C3%A9", "x" * 80, "%00", "1"))
        words.append((known if is_known or is_place else other) + segment.verb)
    return "/" + "/".join(words)


def request_of(method: Method, rng: random.Random, *, is_known: bool = True) -> RandomRequest:
    """A request whose values have the types that the document asks for."""
    query = {}
    for name, parameter in method.parameters.items():
        is_wanted = parameter.get("required") or rng.random() < 0.4
        if parameter["location"] == "query" and is_wanted:
            value = value_of(method, parameter, rng, 0)
            query[name] = str(value).lower() if isinstance(value, bool) else str(value)
    if "project" in query:
        query["project"] = "local-proj"
    body = None
    if method.request is not None:
        body = value_of(method, {"$ref": method.request}, rng, 0)
    return RandomRequest(method.http_method, address(method, rng, is_known=is_known), query, body)


def value_of(method: Method, schema: Mapping[str, Any], rng: random.Random, depth: int) -> Any:
    """A value of a schema's type; objects have some of their fields."""
    if "$ref" in schema:
        schema = method.api.schemas[schema["$ref"]]
    kind, form = schema.get("type", "any"), schema.get("format", "")
    if kind == "object":
        return _object(method, schema, rng, depth)
    if kind == "array":
        size = rng.choice((0, 1, 1, 2)) if depth < _DEEPEST else 0
        return [value_of(method, schema["items"], rng, depth + 1) for _ in range(size)]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if form in _FORMATS:
        return rng.choice(_FORMATS[form])
    if kind == "boolean":
        return rng.random() < 0.5
    return rng.choice((0, 1, 2)) if kind in ("integer", "number") else rng.choice(_TEXTS)


def _object(method: Method, schema: Mapping[str, Any], rng: random.Random, depth: int) -> Any:
    if depth >= _DEEPEST:
        return {}
    properties: Mapping[str, Any] = schema.get("properties", {})
    body = {
        name: value_of(method, member, rng, depth + 1)
        for name, member in properties.items()
        if rng.random() < (0.9 if member.get("isRequired") else 2 / (2 + len(properties) / 4))
    }
    if "additionalProperties" in schema and rng.random() < 0.7:
        body["key"] = value_of(method, schema["additionalProperties"], rng, depth + 1)
    return body


def damaged(body: Any, rng: random.Random) -> Any:
    """The body with one value somewhere in it replaced by one that hardly fits."""
    damaged_body = copy.deepcopy(body)
    places = list(_places(damaged_body))
    if not places:
        return rng.choice(_WRONG)
    container, key = rng.choice(places)
    container[key] = rng.choice(_WRONG)
    return damaged_body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value) if isinstance(value, list) else 0)
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


def messages_in(method: Method, body: Any) -> Iterator[tuple[Any, bool]]:
    """Each object in a body, and whether a field that it does not have is refused in it."""

    def walk(schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
        if "$ref" in schema:
            schema = method.api.schemas[schema["$ref"]]
        if isinstance(value, list):
            for entry in value:
                yield from walk(schema["items"], entry)
        elif isinstance(value, dict):
            if "additionalProperties" not in schema and schema.get("type") == "object":
                yield value
            for name, member in value.items():
                inner = schema.get("properties", {}).get(name)
                if inner is not None and not inner.get("readOnly"):
                    yield from walk(inner, member)

    assert method.request is not None
    yield from walk({"$ref": method.request}, body)
