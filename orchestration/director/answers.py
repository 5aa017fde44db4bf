"""Which completion answers which command, and when a command that has none is sent again.

No cloud and no clock is in here: what a run believes depends on the messages alone, in whatever
order, number and state they arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import structlog

from orchestration.director.messages import Completion, MalformedMessageError, decode

log = structlog.get_logger(__name__)

FIRST_RESEND_S = 5.0
RESEND_GROWTH = 2.0
LONGEST_RESEND_S = 60.0


class Answers:
    """The completions of one run's commands, by command."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._by_command: dict[str, Completion] = {}

    def take(self, data: bytes, attributes: Mapping[str, str]) -> None:
        """Keep a message if it is a completion of this run; whatever else it is, log it."""
        try:
            completion = decode(Completion, data, attributes)
        except MalformedMessageError as error:
            log.warning("completion_malformed", why=error.reason, command_id=error.command_id)
            return
        if completion.run_id != self._run_id:
            log.warning("completion_foreign", run_id=completion.run_id)
            return
        # The first terminal answer stands; a repeat changes nothing.
        self._by_command.setdefault(completion.command_id, completion)

    def find(self, command_id: str) -> Completion | None:
        """Give a command's answer; None when there is none yet."""
        return self._by_command.get(command_id)


def resend_pauses(first_s: float = FIRST_RESEND_S) -> Iterator[float]:
    """Give the pauses between sending a command and sending it again, without end."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(pause_s * RESEND_GROWTH, LONGEST_RESEND_S)
