"""A director, two conductors and a Pub/Sub that misbehaves, on virtual time, drawn from a seed.

Service, ledger protocol, messages and the matching of answers are the product's own; only the
cloud, the clock and the crashes are made here.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orchestration.director.answers import Answers, resend_pauses
from orchestration.director.messages import (
    RUN_ATTRIBUTE,
    Command,
    Completion,
    Instruction,
    MalformedMessageError,
    decode,
    encode,
)
from orchestration.director.service import DirectorService, Identity, Provisioned

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TIMEOUT_S = 600.0
ACK_DEADLINE_S = 10.0
CRASH_POINTS = (
    "before the work",
    "after the work",
    "before the ledger",
    "after the ledger",
    "before the publish",
    "after the publish",
)


class Crash(BaseException):
    """The director's process died; nothing in it may catch this."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely each mishap is."""

    loss: float = 0.2
    duplicate: float = 0.3
    noise: float = 0.3
    misrouted: float = 0.1
    crash: float = 0.05
    longest_delay_s: float = 20.0
    # The director goes away for good at this time; None: it stays.
    director_ends_s: float | None = None


@dataclass(slots=True)
class Outcome:
    """What came of one schedule."""

    commands: dict[str, Command] = field(default_factory=dict)
    # None: it timed out.
    answers: dict[str, Completion | None] = field(default_factory=dict)
    timed_out_at_s: dict[str, float] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    # Effects of a command whose result the ledger had already: there must be none.
    needless_effects: list[str] = field(default_factory=list)
    ledger: dict[str, Completion] = field(default_factory=dict)
    generation: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    # Crashes of a command between its effect and its record: each allows one more effect.
    excuses: Counter[str] = field(default_factory=Counter)


class Simulation:
    """One schedule: the events of a run of two conductors, in virtual time."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.outcome = Outcome()
        self._draw = random.Random(seed)  # noqa: S311 - must repeat itself
        self._weather = weather
        self._now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._conductors: dict[str, Answers] = {}
        self._director_up_at_s = 0.0
        self._working_on = ""
        self._service = self._start_director()

    def run(self) -> Outcome:
        """Let both conductors send their commands, until each is answered or timed out."""
        for generation, run_id in enumerate(("run-1", "run-2"), start=1):
            self._conductors[run_id] = Answers(run_id)
            for dataflow in ("orders", "stock"):
                command = self._command(run_id, generation, dataflow)
                self.outcome.commands[command.command_id] = command
                self._at(self._draw.uniform(0, 30), lambda command=command: self._begin(command))
        while self._events:
            self._now_s, _, event = heapq.heappop(self._events)
            event()
        return self.outcome

    def _at(self, delay_s: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self._now_s + delay_s, self._count, event))

    def _happens(self, probability: float) -> bool:
        return self._draw.random() < probability

    def _now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._now_s)

    def _command(self, run_id: str, generation: int, dataflow: str) -> Command:
        return Command(
            instruction=Instruction.SETUP,
            command_id=f"{run_id}-{dataflow}",
            run_id=run_id,
            environment="dev",
            dataflow=dataflow,
            generation=generation,
            deadline=EPOCH + timedelta(seconds=TIMEOUT_S + 30),
            architecture_sha256="architecture",
            program_sha256="program",
            traceparent="00-1-2-01",
        )

    # The conductors.

    def _begin(self, command: Command) -> None:
        pauses = resend_pauses()
        gives_up_at_s = self._now_s + TIMEOUT_S

        def turn() -> None:
            answer = self._conductors[command.run_id].find(command.command_id)
            if answer is not None or self._now_s >= gives_up_at_s:
                self.outcome.answers[command.command_id] = answer
                if answer is None:
                    self.outcome.timed_out_at_s[command.command_id] = self._now_s - (
                        gives_up_at_s - TIMEOUT_S
                    )
                return
            self._carry(*encode(command), self._deliver_to_director)
            self._at(min(next(pauses), gives_up_at_s - self._now_s), turn)

        turn()

    def _deliver_to_conductor(self, data: bytes, attributes: Mapping[str, str]) -> None:
        meant = attributes.get(RUN_ATTRIBUTE, "")
        for run_id, answers in self._conductors.items():
            # The filter of a subscription; now and then it fails, and the answer is another's.
            if run_id == meant or self._happens(self._weather.misrouted):
                answers.take(data, attributes)

    # Pub/Sub.

    def _carry(
        self,
        data: bytes,
        attributes: Mapping[str, str],
        deliver: Callable[[bytes, Mapping[str, str]], None],
    ) -> None:
        """Deliver a message late, twice, in any order or not at all, and rubbish beside it."""
        weather = self._weather
        if not self._happens(weather.loss):
            for _ in range(2 if self._happens(weather.duplicate) else 1):
                self._at(self._delay_s(), lambda: deliver(data, attributes))
        if self._happens(weather.noise):
            rubbish = self._draw.choice((data[: len(data) // 2], b"", b"[1]", b"\xff\x00"))
            stranger = self._draw.choice(
                ({}, {"run_id": "run-9", "command_id": "c-9"}, {"run_id": "run-1"})
            )
            self._at(self._delay_s(), lambda: deliver(rubbish, stranger))

    def _delay_s(self) -> float:
        return self._draw.uniform(0, self._weather.longest_delay_s)

    # The director.

    def _start_director(self) -> DirectorService:
        return DirectorService(
            Identity("director", "dev"), self, self, self._publish, now=self._now
        )

    def _deliver_to_director(self, data: bytes, attributes: Mapping[str, str]) -> None:
        ends_s = self._weather.director_ends_s
        if ends_s is not None and self._now_s >= ends_s:
            return
        again = lambda: self._deliver_to_director(data, attributes)  # noqa: E731 - an event
        if self._now_s < self._director_up_at_s:
            self._at(ACK_DEADLINE_S, again)
            return
        self._working_on = _command_id(data, attributes)
        try:
            self._service.handle(data, attributes)
        except Crash:
            # Not acknowledged, hence delivered again; what the process remembered is gone.
            self._service = self._start_director()
            self._director_up_at_s = self._now_s + self._draw.uniform(0, 15)
            self._at(ACK_DEADLINE_S, again)

    def _may_crash(self, point: str) -> None:
        if not self._happens(self._weather.crash):
            return
        self.outcome.crashes[point] += 1
        if point in ("after the work", "before the ledger"):
            self.outcome.excuses[self._working_on] += 1
        raise Crash(point)

    def _publish(self, data: bytes, attributes: dict[str, str]) -> None:
        self._may_crash("before the publish")
        self._carry(data, attributes, self._deliver_to_conductor)
        self._may_crash("after the publish")

    def provision(self, dataflow: str, *, keeps_data: bool) -> Provisioned:
        """Have the effect that must not be had needlessly."""
        self._may_crash("before the work")
        if self._working_on in self.outcome.ledger:
            self.outcome.needless_effects.append(self._working_on)
        self.outcome.effects[self._working_on] += 1
        self._may_crash("after the work")
        return Provisioned((f"{dataflow}-topic",), (), (), {"create": 1})

    def tear_down(self, dataflow: str) -> Provisioned:
        """Have nothing to delete; nobody asks here."""
        del dataflow
        return Provisioned((), (), (), {})

    def status(self, dataflow: str) -> Provisioned | None:
        """Say that nothing is known of any dataflow; nobody asks here."""
        del dataflow

    def digests(self) -> tuple[str, str]:
        """Give the digests that the commands carry."""
        return "architecture", "program"

    def find(self, command_id: str) -> Completion | None:
        """Read the ledger, which outlives the process."""
        return self.outcome.ledger.get(command_id)

    def store(self, completion: Completion) -> Completion:
        """Write the ledger; the first record stands."""
        self._may_crash("before the ledger")
        kept = self.outcome.ledger.setdefault(completion.command_id, completion)
        self._may_crash("after the ledger")
        return kept

    def generation(self) -> int:
        """Read the newest generation, which outlives the process."""
        return self.outcome.generation

    def keep_generation(self, generation: int) -> None:
        """Keep a newer generation."""
        self.outcome.generation = generation


def _command_id(data: bytes, attributes: Mapping[str, str]) -> str:
    try:
        return decode(Command, data, attributes).command_id
    except MalformedMessageError:
        return ""
