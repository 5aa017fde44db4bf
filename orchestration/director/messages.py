"""Commands to the director and its completions: JSON over Pub/Sub.

Instruction names are the upstream project's. A completion carries its command's id, so that lost,
repeated, late and foreign messages cannot be mistaken for the answer that is awaited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

SCHEMA_VERSION = 1
# The attributes by which a subscription is filtered and a log is searched.
RUN_ATTRIBUTE = "run_id"
COMMAND_ATTRIBUTE = "command_id"
# Ids become attributes, which Pub/Sub limits to 1,024 bytes: a longer id could not be answered.
LONGEST_ID = 128
LONGEST_REASON = 500

Identifier = Annotated[
    str, StringConstraints(pattern=rf"^[^\p{{Cc}}\p{{Zl}}\p{{Zp}}]{{1,{LONGEST_ID}}}$")
]


class Instruction(StrEnum):
    """What a command asks for."""

    SETUP = "dataflow-setup"
    # Upstream's; what depends on services' URLs is in the conductor's own stacks here.
    DEPENDENT_SETUP = "dependent-resource-setup"
    # All of the dataflow's stack goes but what holds data, which is kept and named.
    TEARDOWN = "teardown"
    STATUS = "status"


class Message(BaseModel):
    """A message: it does not change, and knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Command(Message):
    """One thing for the director to do for one dataflow."""

    schema_version: int = SCHEMA_VERSION
    instruction: Instruction
    command_id: Identifier
    run_id: Identifier
    environment: str
    dataflow: Identifier
    # Grows with every run of the environment; an older one is refused.
    generation: int
    deadline: AwareDatetime
    # The hydrated architecture that the stacks are configured with, and its digest.
    architecture_sha256: str
    # The digest of the program that the conductor would run; the director runs the same.
    program_sha256: str
    # Whether a setup leaves alone what holds data and would have to go: it undoes a later one.
    keeps_data: bool = False
    # W3C trace context of the run.
    traceparent: str


class CompletionStatus(StrEnum):
    """How a command ended."""

    OK = "ok"
    FAILED = "failed"


class CompletionError(Message):
    """Why a command failed."""

    code: str
    message: str


class AppliedGrant(Message):
    """A grant that the director has made."""

    member: str
    role: str
    resource: str


class Completion(Message):
    """What became of a command."""

    schema_version: int = SCHEMA_VERSION
    command_id: Identifier
    run_id: Identifier
    # Empty when the command could not be read.
    dataflow: str
    status: CompletionStatus
    error: CompletionError | None = None
    topics: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    applied_grants: tuple[AppliedGrant, ...] = ()
    # Resources by operation, as the engine counts them.
    changes: Mapping[str, int] = {}
    # What was left because it holds data.
    kept: tuple[str, ...] = ()
    duration_s: float = 0.0
    director: str = ""


class MalformedMessageError(Exception):
    """A message that cannot be read; it carries what could be read of its ids."""

    def __init__(self, reason: str, *, command_id: str = "", run_id: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.command_id = command_id
        self.run_id = run_id


M = TypeVar("M", Command, Completion)


def encode(message: Command | Completion) -> tuple[bytes, dict[str, str]]:
    """Give a message's data and attributes."""
    return message.model_dump_json().encode(), {
        RUN_ATTRIBUTE: message.run_id,
        COMMAND_ATTRIBUTE: message.command_id,
    }


def decode(kind: type[M], data: bytes, attributes: Mapping[str, str]) -> M:
    """Read a message.

    Raises:
        MalformedMessageError: it is not one of this kind.
    """
    try:
        message = kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        body = _readable(data)
        raise MalformedMessageError(
            f"{where}: {first['msg']}"[:LONGEST_REASON],
            command_id=_identifier(attributes, body, COMMAND_ATTRIBUTE),
            run_id=_identifier(attributes, body, RUN_ATTRIBUTE),
        ) from error
    if message.schema_version != SCHEMA_VERSION:
        raise MalformedMessageError(
            f"schema version {message.schema_version}, this program speaks {SCHEMA_VERSION}",
            command_id=message.command_id,
            run_id=message.run_id,
        )
    return message


def _readable(data: bytes) -> Mapping[object, object]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _identifier(attributes: Mapping[str, str], body: Mapping[object, object], name: str) -> str:
    """Find an id where the sender may have put it; one that is too long is no id."""
    for found in (attributes.get(name), body.get(name)):
        if isinstance(found, str) and 0 < len(found) <= LONGEST_ID and found.isprintable():
            return found
    return ""
