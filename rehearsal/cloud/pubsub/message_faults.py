"""Messages that a fault rule loses, doubles, garbles or holds up on their way to a subscription."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rehearsal.cloud.call_log import CallLog, CallRecord
from rehearsal.cloud.faults.injector import DELIVERY, Faults
from rehearsal.cloud.pubsub.messages import Message

# Long enough for the messages behind it to overtake one that is to come out of order.
_HOLD_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message at a subscription: when, and whether it comes once more after its settlement."""

    message: Message
    delay_s: float = 0.0
    is_doubled: bool = False


class MessageFaults:
    """Asks the fault rules about every message, and logs what they do."""

    def __init__(self, faults: Faults, log: CallLog) -> None:
        self._faults = faults
        self._log = log

    def arrivals(self, subscription: str, messages: Sequence[Message]) -> list[Arrival]:
        """Return what arrives of the messages that are owed to a subscription."""
        arrivals = [self._arrival(subscription, message) for message in messages]
        return [arrival for arrival in arrivals if arrival is not None]

    def _arrival(self, subscription: str, message: Message) -> Arrival | None:
        fate = self._faults.fate_of_message(subscription)
        if fate is None:
            return Arrival(message)
        self._log.write(
            CallRecord(
                at=round(time.time(), 3),
                method=DELIVERY,
                principal="",
                resource=subscription,
                decision="unchecked",
                code=200,
                ms=0.0,
                message=f"message {message.message_id}",
                fault=f"{fate.fault} message",
            )
        )
        match str(fate.fault):
            case "lose":
                return None
            case "duplicate":
                return Arrival(message, is_doubled=True)
            case "garble":
                return Arrival(replace(message, data=_garbled(message.data)))
        return Arrival(message, delay_s=fate.delay_s or _HOLD_UP_S)


def _garbled(data: bytes) -> bytes:
    """Return what no reader can make sense of: half of the bytes, and one that no text has."""
    return data[: len(data) // 2] + b"\xff"
