"""What a service's handler gets and gives: one call of one API method.

How a request becomes a call is the matter of `rehearsal.cloud.pipeline`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

# Bodies of foreign protocols; their shape is checked against Google's discovery documents.
JsonObject: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One checked and permitted call.

    Attributes:
        method_id: The id in Google's discovery document, like `pubsub.projects.topics.create`.
        params: Path parameters by their names in the discovery document (`name`, `parent`,
            `resource`, …), decoded; project numbers are replaced by the project id. `project` is
            always there.
        query: Query parameters, camel case; the values of a repeated one joined by commas.
        body: The request body without output-only fields; in APIs of Google's One Platform
            (all but Storage and BigQuery) also without explicit nulls.
        principal: Who is calling: `user:…`, `serviceAccount:…` or `anonymous`.
        path: The request's path, still with its service prefix.
        base_url: Where the request arrived, for answers that link back; of gRPC empty.
    """

    method_id: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: JsonObject
    principal: str
    path: str
    base_url: str = ""

    @property
    def update_mask(self) -> tuple[str, ...]:
        """The fields to change, camel case, from the query or the body; empty when not given."""
        mask = self.query.get("updateMask") or self.body.get("updateMask") or ""
        return tuple(camel_case(field.strip()) for field in mask.split(",") if field.strip())


# None answers 204 without a body.
Handler: TypeAlias = Callable[[Call], Awaitable[JsonObject | None]]


@dataclass(frozen=True, slots=True)
class Requirement:
    """The permission that a method needs, and on what.

    Attributes:
        permission: The permission's name.
        resource: A template over `Call.params`, like `{name}` or `projects/{project}`.
    """

    permission: str
    resource: str


class Background(Protocol):
    """Something of a service that runs beside the requests."""

    async def start(self) -> None:
        """Begin; returns when it serves."""

    async def stop(self) -> None:
        """End, leaving no task or process behind."""


def camel_case(field: str) -> str:
    """The JSON name of a field that may be given by its proto name."""
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), field)
