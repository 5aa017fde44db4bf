"""The vendored discovery documents, read: methods, their routes and the schemas of their bodies.

Checking a request is `checking`'s matter, making the documents `refresh`'s.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from rehearsal.cloud.calls import JsonObject, snake_case

_ENCODED_SLASH: Final = re.compile("(%2[fF])")
FOLDER: Final = Path(__file__).parent
# Our path prefix of each document.
DOCUMENTS: Final[Mapping[str, str]] = {
    "artifactregistry.v1": "artifactregistry",
    "bigquery.v2": "bigquery",
    "cloudbilling.v1": "cloudbilling",
    "cloudresourcemanager.v1": "resourcemanager",
    "cloudresourcemanager.v3": "resourcemanager",
    "cloudscheduler.v1": "cloudscheduler",
    "firestore.v1": "firestore",
    "iam.v1": "iam",
    "iamcredentials.v1": "iamcredentials",
    "pubsub.v1": "pubsub",
    "run.v2": "run",
    "secretmanager.v1": "secretmanager",
    "serviceusage.v1": "serviceusage",
    "serviceusage.v1beta1": "serviceusage",
    "storage.v1": "storage",
}
# The packages of the messages, as Google's errors name them.
_PACKAGES: Final[Mapping[str, str]] = {
    "artifactregistry": "google.devtools.artifactregistry.v1",
    "bigquery": "google.cloud.bigquery.v2",
    "cloudbilling": "google.cloud.billing.v1",
    "cloudresourcemanager": "google.cloud.resourcemanager.v3",
    "cloudscheduler": "google.cloud.scheduler.v1",
    "firestore": "google.firestore.admin.v1",
    "iam": "google.iam.admin.v1",
    "iamcredentials": "google.iam.credentials.v1",
    "pubsub": "google.pubsub.v1",
    "run": "google.cloud.run.v2",
    "secretmanager": "google.cloud.secretmanager.v1",
    "serviceusage": "google.api.serviceusage.v1",
    "storage": "google.storage.v1",
}
# APIs whose bodies are whole requests even where they look like resources.
_WHOLE_REQUESTS: Final = frozenset({"bigquery", "pubsub", "storage"})
# The two older APIs, which ignore unknown fields and give explicit nulls a meaning.
_LENIENT: Final = frozenset({"bigquery", "storage"})


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a path template: a literal, or any text before a `:verb`."""

    literal: str | None
    verb: str = ""

    def matches(self, text: str, *, may_hold_colon: bool) -> bool:
        """Tell whether a raw path segment fits."""
        if self.literal is not None:
            return text == self.literal
        if self.verb:
            return text.endswith(self.verb) and len(text) > len(self.verb)
        return bool(text) and (may_hold_colon or ":" not in text)


class Method:
    """One API method.

    Attributes:
        id: Like `run.projects.locations.services.create`.
        api: The document it is in.
        http_method: GET, POST and so on.
        parameters: Path and query parameters, as in the document.
        request: The schema of the body, if it takes one.
        response: The schema of the answer, if it has one.
    """

    def __init__(self, api: Api, body: JsonObject) -> None:
        self.id: str = body["id"]
        self.api = api
        self.http_method: str = body["httpMethod"]
        self.parameters: Mapping[str, JsonObject] = body["parameters"]
        self.request: str | None = body.get("request")
        self.response: str | None = body.get("response")
        self._path: str = body["path"]
        self.segments = _segments(f"{api.service_path}{body.get('flatPath', self._path)}")

    def matches(self, segments: list[str]) -> bool:
        """Tell whether the raw segments of a path, without our prefix, are this method's."""
        return all(
            template.matches(text, may_hold_colon=self.api.name == "storage")
            for template, text in zip(self.segments, segments, strict=True)
        )

    def path_parameters(self, segments: list[str]) -> dict[str, str]:
        """The decoded path parameters."""
        values = {
            name: "/".join(segments[start:end]).removesuffix(verb)
            for name, start, end, verb in self._spans
        }
        if self.api.name == "storage":
            # Names of objects are single segments, whatever is in them.
            return {name: unquote(value) for name, value in values.items()}
        # In names of several segments an encoded slash separates nothing, and stays encoded.
        return {
            name: "".join(
                part if _ENCODED_SLASH.fullmatch(part) else unquote(part)
                for part in _ENCODED_SLASH.split(value)
            )
            for name, value in values.items()
        }

    @cached_property
    def body_path(self) -> str:
        """Where the body is in the request's message; empty where it is the message itself."""
        if self.request is None or self.request.endswith("Request"):
            return ""
        message = self.api.message_type(self.request).rpartition(".")[2]
        return "" if self.api.name in _WHOLE_REQUESTS else snake_case(message).removeprefix("_")

    @cached_property
    def _spans(self) -> list[tuple[str, int, int, str]]:
        """Each path parameter's name, its segments from and to, and the `:verb` behind it."""
        pieces = _split_template(self.api.service_path + self._path)
        variable = [piece for piece in pieces if piece.startswith("{+")]
        spans = []
        start = 0
        for piece in pieces:
            length = 1
            if len(variable) == 1 and piece.startswith("{+"):
                length += len(self.segments) - len(pieces)
            if piece.startswith("{"):
                name, _, verb = piece[1:].partition("}")
                spans.append((name.removeprefix("+"), start, start + length, verb))
            start += length
        return spans


class Api:
    """One discovery document.

    Attributes:
        name: Like `run`.
        service: The API to enable, like `run.googleapis.com`.
        title: Like `Cloud Run Admin API`.
        prefix: Our path prefix.
        service_path: Google's path prefix.
        common_parameters: Query parameters that every method takes.
        schemas: Bodies by name.
        is_lenient: It ignores unknown fields and gives explicit nulls a meaning.
    """

    def __init__(self, document: str, prefix: str) -> None:
        body = json.loads(gzip.decompress((FOLDER / f"{document}.json.gz").read_bytes()))
        self.name: str = body["id"].partition(":")[0]
        self.service = f"{self.name}.googleapis.com"
        self.title: str = body["title"]
        self.revision: str = body["revision"]
        self.prefix = prefix
        self.service_path: str = body["servicePath"]
        self.common_parameters = frozenset(body["parameters"])
        self.schemas: Mapping[str, JsonObject] = body["schemas"]
        self.is_lenient = self.name in _LENIENT
        self.methods = tuple(Method(self, method) for method in body["methods"])

    def message_type(self, schema: str) -> str:
        """What Google's messages call the type of a body; maps have no name."""
        package = _PACKAGES[self.name]
        prefix = "".join(word.capitalize() for word in package.split("."))
        name = schema.removeprefix(prefix).removeprefix("GoogleIamV1")
        return f"type.googleapis.com/{package}.{name}" if name else "TYPE_MESSAGE"


class Routes:
    """Finds the method of a request."""

    def __init__(self) -> None:
        self.apis = tuple(Api(document, prefix) for document, prefix in DOCUMENTS.items())
        self._methods: dict[tuple[str, str, int], list[Method]] = {}
        for api in self.apis:
            for method in api.methods:
                key = (api.prefix, method.http_method, len(method.segments))
                self._methods.setdefault(key, []).append(method)
        for methods in self._methods.values():
            # The most literal template first: `…:getIamPolicy` before any name.
            methods.sort(key=lambda m: sum(not (s.literal or s.verb) for s in m.segments))

    def find(self, http_method: str, raw_path: str) -> tuple[Method, dict[str, str]] | None:
        """Return the method of a raw request path with our prefix, and its path parameters."""
        # The provider lists `anywhereCaches/` with a slash behind it.
        prefix, *segments = raw_path.strip("/").split("/")
        for method in self._methods.get((prefix, http_method, len(segments)), ()):
            if method.matches(segments):
                return method, method.path_parameters(segments)
        return None

    def method_ids(self) -> Iterator[str]:
        """Every method of every document."""
        return (method.id for api in self.apis for method in api.methods)


def _segments(template: str) -> tuple[Segment, ...]:
    return tuple(_segment(piece) for piece in _split_template(template))


def _segment(piece: str) -> Segment:
    if not piece.startswith("{"):
        return Segment(piece)
    return Segment(None, piece.partition("}")[2])


def _split_template(template: str) -> list[str]:
    return template.strip("/").split("/")
