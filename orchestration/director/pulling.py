"""How commands reach the director: one streaming pull, started again whenever it dies."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from orchestration.director.service import DirectorService

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import SubscriberClient
    from google.cloud.pubsub_v1.subscriber.message import Message

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
CHECK_TIMEOUT_S = 5.0
# Commands in work at once: each waits for the network while its stack comes up.
MOST_COMMANDS = 16
# A command may take this long; the library renews its lease until then.
LONGEST_COMMAND_S = 1800
STOP_TIMEOUT_S = 8.0


class CommandPull:
    """Keeps a pull going, and says whether it does."""

    def __init__(
        self, subscriber: SubscriberClient, subscription: str, service: DirectorService
    ) -> None:
        self._subscriber = subscriber
        self._subscription = subscription
        self._service = service
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._not_pulling_because = "it is starting"

    @property
    def not_pulling_because(self) -> str:
        """Why no command can arrive; empty while they can."""
        return self._not_pulling_because

    def start(self) -> None:
        """Start pulling in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Stop pulling; commands in work are finished, or delivered again to the next director."""
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                self._pull()
                pause = FIRST_PAUSE_S
                why = "the pull ended"
            except Exception as error:  # noqa: BLE001 - whatever ended it, pull again
                why = str(error) or repr(error)
            self._not_pulling_because = why
            if not self._stopping.is_set():
                log.warning("not_pulling", why=why, again_in_s=pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _pull(self) -> None:
        """Hold one pull until it dies or the service stops."""
        from google.cloud.pubsub_v1.types import FlowControl  # noqa: PLC0415 - brings grpc along

        # A streaming pull retries quietly for long; this says at once what is wrong.
        self._subscriber.get_subscription(
            subscription=self._subscription, retry=None, timeout=CHECK_TIMEOUT_S
        )
        pull = self._subscriber.subscribe(
            self._subscription,
            callback=self._receive,
            flow_control=FlowControl(
                max_messages=MOST_COMMANDS, max_lease_duration=LONGEST_COMMAND_S
            ),
        )
        ended = threading.Event()
        pull.add_done_callback(lambda _done: ended.set())
        self._not_pulling_because = ""
        log.info("pulling", subscription=self._subscription)
        while not ended.is_set() and not self._stopping.is_set():
            ended.wait(0.1)
        self._not_pulling_because = "it is stopping" if self._stopping.is_set() else "it died"
        pull.cancel()
        pull.result(timeout=STOP_TIMEOUT_S)

    def _receive(self, message: Message) -> None:
        """Handle one message; acknowledged only once its result is stored and published."""
        try:
            self._service.handle(message.data, dict(message.attributes))
        except Exception:
            # Delivered again: what was done is in the ledger or in the stack's state.
            log.exception("command_not_answered", message_id=message.message_id)
            message.nack()
            return
        message.ack()
