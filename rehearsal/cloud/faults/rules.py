"""Fault rules as they are written: which calls, how often, and what goes wrong.

seed: 7
rules:
  - {match: {method: "*.setIamPolicy"}, nth: [1], reply: {preset: CONCURRENT_POLICY}}
  - {match: {principal: "serviceAccount:worker*"}, when: after, drop_connection: true}
  - {match: {resource: "*/subscriptions/jobs"}, prob: 0.1, messages: duplicate}
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rehearsal.cloud.errors import RPC_CODES, ApiError
from rehearsal.cloud.faults.presets import PRESETS, Words

_STATUS_OF_CODE: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_UNITS_S: Final = (("ms", 0.001), ("s", 1.0), ("m", 60.0))


def _seconds(value: object) -> object:
    """Read `250ms`, `2s` or `1m`; a bare number is seconds."""
    if isinstance(value, str):
        for unit, factor in _UNITS_S:
            if value.endswith(unit):
                return float(value.removesuffix(unit)) * factor
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=600)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(StrEnum):
    """Whether a call has its effect before the fault."""

    BEFORE = "before"
    AFTER = "after"


class MessageFault(StrEnum):
    """What happens to a message on its way to a subscription."""

    LOSE = "lose"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    GARBLE = "garble"


class Match(_Model):
    """Which calls a rule is about; patterns with `*`, as in file names."""

    method: str = "*"
    """The id in Google's discovery document, such as `pubsub.projects.topics.create`."""
    resource: str = "*"
    """The full name of what the call is about, else its path; of messages the subscription's."""
    principal: str = "*"
    """Who calls: `user:…` or `serviceAccount:…`."""


def _check_choice(preset: str | None, code: int | None) -> None:
    if (preset is None) == (code is None):
        raise ValueError("give either `preset` or `code`")
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}; there are {', '.join(sorted(PRESETS))}")


class Refusal(_Model):
    """An error, spelled out or by the name of a well-known one."""

    preset: str | None = None
    code: int | None = Field(default=None, ge=400, le=599)
    status: str | None = None
    message: str = ""
    reason: str = ""

    @model_validator(mode="after")
    def _names_an_error(self) -> Self:
        _check_choice(self.preset, self.code)
        if self.status is not None and self.status not in RPC_CODES:
            raise ValueError(f"no status {self.status!r}; there are {', '.join(RPC_CODES)}")
        return self

    def error(self, words: Words) -> ApiError:
        """Return the error of a call."""
        if self.preset is not None:
            return PRESETS[self.preset].error(words, self.message)
        assert self.code is not None
        status = self.status or _STATUS_OF_CODE.get(self.code, "UNKNOWN")
        message = self.message or f"Injected fault: {status}."
        return ApiError(self.code, status, message, reason=self.reason)


class OperationFailure(_Model):
    """The error with which a long-running operation ends."""

    preset: str | None = None
    code: int | None = Field(default=None, ge=1, le=16)
    """A code of `google.rpc`, such as 9 for FAILED_PRECONDITION."""
    message: str = ""

    @model_validator(mode="after")
    def _names_an_error(self) -> Self:
        _check_choice(self.preset, self.code)
        return self

    def error(self, words: Words) -> ApiError:
        """Return the error of an operation."""
        if self.preset is not None:
            return PRESETS[self.preset].error(words, self.message)
        status = next(name for name, number in RPC_CODES.items() if number == self.code)
        # The HTTP status does not show: an operation only tells the code of `google.rpc`.
        return ApiError(500, status, self.message or f"Injected fault: {status}.")


class Rule(_Model):
    """One rule: of the calls that match, some have the fault."""

    match: Match = Match()
    nth: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Only these of the matching calls, counted from 1."""
    times: Annotated[int, Field(ge=1)] | None = None
    """At most so many faults."""
    prob: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How likely the fault is; drawn from the seed."""
    above_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Only calls beyond so many in a minute, as a quota would refuse."""
    when: When = When.BEFORE
    delay: Seconds = 0.0
    """How long a call, or a reordered message, is held up."""
    reply: Refusal | None = None
    drop_connection: bool = False
    lro_error: OperationFailure | None = None
    lro_delay: Seconds = 0.0
    """How much longer the operation takes that a call starts."""
    messages: MessageFault | None = None

    @model_validator(mode="after")
    def _has_one_fault(self) -> Self:
        faults = [
            name
            for name in ("reply", "drop_connection", "lro_error", "messages")
            if getattr(self, name)
        ]
        if len(faults) > 1:
            raise ValueError(f"one fault a rule, not {' and '.join(faults)}")
        if self.lro_delay and faults not in ([], ["lro_error"]):
            raise ValueError(f"one fault a rule, not lro_delay and {faults[0]}")
        if not faults and not self.delay and not self.lro_delay:
            raise ValueError(
                "give a fault: reply, drop_connection, lro_error, lro_delay, messages or delay"
            )
        return self

    @property
    def title(self) -> str:
        """Return what the rule does, in a few words, for logs."""
        if self.messages is not None:
            return f"{self.messages} message"
        if self.lro_error is not None:
            return f"operation error {self.lro_error.preset or self.lro_error.code}"
        if self.lro_delay:
            return f"operation delay {self.lro_delay:g}s"
        what = f"delay {self.delay:g}s"
        if self.reply is not None:
            what = f"reply {self.reply.preset or self.reply.code}"
        elif self.drop_connection:
            what = "dropped connection"
        return f"{what} {self.when}"


class FaultRules(_Model):
    """The rules of one local cloud; the first that has a fault for a call wins."""

    version: Literal[1] = 1
    seed: int = 0
    rules: tuple[Rule, ...] = ()
