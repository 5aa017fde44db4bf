"""Decides which calls and messages have a fault, and has it.

Every decision follows from the seed, the rule and how many calls the rule has seen, so that the
same calls in the same order fail in the same way. The counting begins anew with every start.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, invalid_argument
from rehearsal.cloud.store import Store

if TYPE_CHECKING:
    # Its library costs a tenth of a second; most rehearsals have no rules.
    from rehearsal.cloud.faults.presets import Words
    from rehearsal.cloud.faults.rules import FaultRules, MessageFault, Rule

DELIVERY: Final = "pubsub.delivery"
_KIND: Final = "cloud.faults"
_MINUTE_S: Final = 60.0


class ConnectionDroppedError(Exception):
    """A rule says that the caller shall never see an answer."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is matched against: a call, or a message on its way to a subscription."""

    method: str
    resource: str
    principal: str = ""


@dataclass(frozen=True, slots=True)
class OperationFault:
    """What a rule has in store for the operation that a call starts.

    Attributes:
        error: With what it shall end, if not with its result.
        delay_s: How much longer it takes.
    """

    error: ApiError | None = None
    delay_s: float = 0.0


_UNDISTURBED: Final = OperationFault()
_OPERATION_FAULT: ContextVar[OperationFault] = ContextVar("operation_fault", default=_UNDISTURBED)


@dataclass(frozen=True, slots=True)
class StreamFault:
    """What a rule has in store for an open stream."""

    due_at: float
    clock: Callable[[], float]
    strike: Callable[[], None]

    def strike_when_due(self) -> None:
        """Break the stream if it is time.

        Raises:
            ApiError: the injected refusal.
            ConnectionDroppedError: the caller shall get no answer.
        """
        if self.clock() >= self.due_at:
            self.strike()


@dataclass(frozen=True, slots=True)
class MessageFate:
    """What a rule has in store for a message: the fault, and how long it is held up."""

    fault: MessageFault
    delay_s: float


@dataclass(slots=True)
class _Counted:
    """A rule with what it has seen and done."""

    rule: Rule
    seed: str
    seen: int = 0
    done: int = 0
    recent: deque[float] = field(default_factory=deque)

    def strikes(self, subject: Subject, now_s: float) -> bool:
        """Count a subject that matches; return whether it may have the fault."""
        rule, match = self.rule, self.rule.match
        is_about_messages = subject.method == DELIVERY
        if (
            is_about_messages != (rule.messages is not None)
            or not fnmatchcase(subject.method, match.method)
            or not fnmatchcase(subject.resource, match.resource)
            or not fnmatchcase(subject.principal, match.principal)
        ):
            return False
        self.seen += 1
        return (
            (not rule.nth or self.seen in rule.nth)
            and (rule.times is None or self.done < rule.times)
            and self._is_beyond_quota(now_s)
            and self._draw() < rule.prob
        )

    def _is_beyond_quota(self, now_s: float) -> bool:
        limit = self.rule.above_per_minute
        if limit is None:
            return True
        while self.recent and self.recent[0] <= now_s - _MINUTE_S:
            self.recent.popleft()
        if len(self.recent) >= limit:
            return True
        self.recent.append(now_s)
        return False

    def _draw(self) -> float:
        digest = hashlib.sha256(f"{self.seed}:{self.seen}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64


class Faults:
    """The fault rules of one local cloud."""

    def __init__(self, store: Store, project_number: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._project_number = project_number
        self._clock = clock
        self._rules: list[_Counted] = []
        kept = store.get(_KIND, "rules")
        if kept is not None:
            self.replace(kept)

    def replace(self, body: JsonObject) -> None:
        """Put these rules in place of all there were.

        Raises:
            ApiError: 400; a rule makes no sense.
        """
        parsed = _parsed(body)
        self._rules = [
            _Counted(rule, f"{parsed.seed}:{number}") for number, rule in enumerate(parsed.rules)
        ]
        self._store.put(_KIND, "rules", body)

    def clear(self) -> None:
        """Drop every rule."""
        self._rules = []
        self._store.delete(_KIND, "rules")

    def described(self) -> JsonObject:
        """Tell the rules, and how often each matched and struck."""
        rules = (self._store.get(_KIND, "rules") or {}).get("rules", [])
        return {
            "rules": [
                {"rule": written, "does": one.rule.title, "matched": one.seen, "injected": one.done}
                for written, one in zip(rules, self._rules, strict=True)
            ]
        }

    @asynccontextmanager
    async def around(self, subject: Subject, note: Callable[[str], None]) -> AsyncIterator[None]:
        """Run a call in the block, with the fault that a rule has for it.

        Args:
            subject: The call.
            note: Takes down what was injected.

        Raises:
            ApiError: the injected refusal.
            ConnectionDroppedError: the caller shall get no answer.
        """
        rule = self._rule_for(subject)
        if rule is None:
            yield
            return
        note(rule.title)
        with self._operation_fault(rule, subject):
            if rule.when == "after":
                yield
            await asyncio.sleep(rule.delay)
            self._strike(rule, subject)
            if rule.when == "before":
                yield

    async def of_stream(self, subject: Subject, note: Callable[[str], None]) -> StreamFault:
        """Open a stream, with the fault that a rule has for it.

        A rule that strikes `after` breaks the stream when its delay is over.

        Raises:
            ApiError: the injected refusal.
            ConnectionDroppedError: the caller shall get no answer.
        """
        rule = self._rule_for(subject)
        if rule is None:
            return StreamFault(math.inf, self._clock, lambda: None)
        note(rule.title)
        if rule.when == "after":
            due_at = self._clock() + rule.delay
            return StreamFault(due_at, self._clock, lambda: self._strike(rule, subject))
        await asyncio.sleep(rule.delay)
        self._strike(rule, subject)
        return StreamFault(math.inf, self._clock, lambda: None)

    def fate_of_message(self, subscription: str) -> MessageFate | None:
        """Decide about a message on its way to a subscription; None lets it pass."""
        rule = self._rule_for(Subject(DELIVERY, subscription))
        if rule is None or rule.messages is None:
            return None
        return MessageFate(rule.messages, rule.delay)

    def _rule_for(self, subject: Subject) -> Rule | None:
        now_s = self._clock()
        # Every rule counts what it sees; the first that strikes wins.
        struck = [one for one in self._rules if one.strikes(subject, now_s)]
        if not struck:
            return None
        struck[0].done += 1
        return struck[0].rule

    def _strike(self, rule: Rule, subject: Subject) -> None:
        """Refuse a call, or leave it without an answer, if that is the rule's fault."""
        if rule.drop_connection:
            raise ConnectionDroppedError
        if rule.reply is not None:
            raise rule.reply.error(self._words(rule, subject))

    @contextmanager
    def _operation_fault(self, rule: Rule, subject: Subject) -> Iterator[None]:
        """Have the operation that the block starts end with an error, or later."""
        failure = rule.lro_error
        error = None if failure is None else failure.error(self._words(rule, subject))
        token = _OPERATION_FAULT.set(OperationFault(error, rule.lro_delay))
        try:
            yield
        finally:
            _OPERATION_FAULT.reset(token)

    def _words(self, rule: Rule, subject: Subject) -> Words:
        return {
            "service": f"{subject.method.partition('.')[0]}.googleapis.com",
            "project": self._project_number,
            "resource": subject.resource,
            "limit": str(rule.above_per_minute or ""),
        }


def operation_fault() -> OperationFault:
    """Return what is to become of the operation that the present call starts."""
    return _OPERATION_FAULT.get()


def _parsed(body: JsonObject) -> FaultRules:
    from pydantic import ValidationError  # noqa: PLC0415 - see above

    from rehearsal.cloud.faults.rules import FaultRules  # noqa: PLC0415

    try:
        return FaultRules.model_validate(body)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise invalid_argument(f"Invalid fault rules: {'; '.join(problems)}") from error
