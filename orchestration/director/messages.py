"""Commands to the director and its completions: JSON over Pub/Sub.

Instruction names are the upstream project's. A completion carries its command's id, so that lost,
repeated, late and foreign messages cannot be mistaken for the answer that is awaited.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

SCHEMA_VERSION = 1
# The attributes by which a subscription is filtered and a log is searched.
RUN_ATTRIBUTE = "run_id"
COMMAND_ATTRIBUTE = "command_id"
LONGEST_ID = 128


class Instruction(StrEnum):
    """What a command asks for."""

    SETUP = "dataflow-setup"
    STATUS = "status"


class Message(BaseModel):
    """A message: it does not change, and knows all its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Command(Message):
    """One thing for the director to do for one dataflow."""

    schema_version: int = SCHEMA_VERSION
    instruction: Instruction
    command_id: str
    run_id: str
    environment: str
    dataflow: str
    # Grows with every run of the environment; an older one is refused.
    generation: int
    deadline: AwareDatetime
    # The hydrated architecture that the stacks are configured with, and its digest.
    architecture_sha256: str
    # The digest of the program that the conductor would run; the director runs the same.
    program_sha256: str
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
    command_id: str
    run_id: str
    dataflow: str
    status: CompletionStatus
    error: CompletionError | None = None
    topics: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    applied_grants: tuple[AppliedGrant, ...] = ()
    # Resources by operation, as the engine counts them.
    changes: Mapping[str, int] = {}
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
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise MalformedMessageError(
            f"{where}: {first['msg']}",
            command_id=_identifier(attributes, COMMAND_ATTRIBUTE),
            run_id=_identifier(attributes, RUN_ATTRIBUTE),
        ) from error
    if message.schema_version != SCHEMA_VERSION:
        raise MalformedMessageError(
            f"schema version {message.schema_version}, this program speaks {SCHEMA_VERSION}",
            command_id=message.command_id,
            run_id=message.run_id,
        )
    return message


def _identifier(attributes: Mapping[str, str], name: str) -> str:
    return attributes.get(name, "")[:LONGEST_ID]
