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
        update_mask: The fields to change, camel case and known to the document, without those
            that are only output; None where no mask was given.
        replaces_all: The mask was `*`: it has everything that the document does not call output.
        if_match: The etags of the header `If-Match`, as sent; empty without it.
        if_none_match: Likewise of `If-None-Match`.
    """

    method_id: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: JsonObject
    principal: str
    path: str
    base_url: str = ""
    update_mask: tuple[str, ...] | None = None
    replaces_all: bool = False
    if_match: str = ""
    if_none_match: str = ""


# None answers 204 without a body.
Handler: TypeAlias = Callable[[Call], Awaitable[JsonObject | None]]


def _caller(call: Call) -> str:
    return call.principal


@dataclass(frozen=True, slots=True)
class Requirement:
    """The permission that a method needs, and on what.

    Attributes:
        permission: The permission's name.
        resource: A template over `Call.params`, like `{name}` or `projects/{project}`.
        holder: Who must have it, nearly always the caller.
    """

    permission: str
    resource: str
    holder: Callable[[Call], str] = _caller


class Background(Protocol):
    """Something of a service that runs beside the requests."""

    async def start(self) -> None:
        """Begin; returns when it serves."""

    async def stop(self) -> None:
        """End, leaving no task or process behind."""


def snake_case(field: str) -> str:
    """The proto name of a field that is given by its JSON name."""
    return re.sub(r"[A-Z]", lambda match: f"_{match.group().lower()}", field)


def camel_case(field: str) -> str:
    """The JSON name of a field that may be given by its proto name."""
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), field)
