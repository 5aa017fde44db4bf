"""How commands reach the director: one streaming pull, started again whenever it dies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import TYPE_CHECKING

import structlog

from orchestration.director.messages import COMMAND_ATTRIBUTE
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
# Together less than the 10 s that Cloud Run leaves between SIGTERM and SIGKILL.
FINISH_TIMEOUT_S = 7.0
STOP_TIMEOUT_S = 2.0


class _Turn(Enum):
    """What is to be done with a message that has just arrived."""

    NOW = auto()
    # Another message with the same command is in work.
    REPEAT = auto()
    # It is in work itself, or nothing is taken up any more.
    LATER = auto()


class CommandPull:
    """Keeps a pull going, and says whether it does."""

    def __init__(
        self, subscriber: SubscriberClient, subscription: str, service: DirectorService
    ) -> None:
        self._subscriber = subscriber
        self._subscription = subscription
        self._service = service
        # First no command is taken up any more, then, when those in work are done, the pull ends.
        self._stopping = threading.Event()
        self._closing = threading.Event()
        # The message that brought each command in work.
        self._in_work: dict[str, str] = {}
        self._finished = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._not_pulling_because = "it is starting"

    @property
    def not_pulling_because(self) -> str:
        """Why no command can arrive; empty while they can."""
        return "it is stopping" if self._stopping.is_set() else self._not_pulling_because

    def start(self) -> None:
        """Start pulling in the background."""
        self._thread.start()

    def stop(self, finish_timeout_s: float = FINISH_TIMEOUT_S) -> bool:
        """Take up nothing new, finish what is in work, then stop pulling.

        Returns:
            Whether all was finished; what was not is delivered again to the next director.
        """
        with self._finished:
            self._stopping.set()
            is_finished = self._finished.wait_for(
                lambda: not self._in_work, timeout=finish_timeout_s
            )
            left = sorted(self._in_work)
        if left:
            log.warning("commands_left", command_ids=left)
        self._closing.set()
        self._thread.join(STOP_TIMEOUT_S)
        return is_finished

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
            if self._stopping.is_set():
                break
            log.warning("not_pulling", why=why, again_in_s=pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _pull(self) -> None:
        """Hold one pull until it dies or the service stops."""
        from google.cloud.pubsub_v1.subscriber.scheduler import (  # noqa: PLC0415 - brings grpc
            ThreadScheduler,
        )
        from google.cloud.pubsub_v1.types import FlowControl  # noqa: PLC0415 - as above

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
            # The library's own has fewer threads than messages.
            scheduler=ThreadScheduler(ThreadPoolExecutor(MOST_COMMANDS, "command")),
        )
        ended = threading.Event()
        pull.add_done_callback(lambda _done: ended.set())
        self._not_pulling_because = ""
        log.info("pulling", subscription=self._subscription)
        while not ended.is_set() and not self._closing.is_set():
            ended.wait(0.1)
        self._not_pulling_because = "it died"
        pull.cancel()
        pull.result(timeout=STOP_TIMEOUT_S)

    def _receive(self, message: Message) -> None:
        """Handle one message; acknowledged only once its result is stored and published.

        What is dropped comes again when its lease has run out, not at once as a refused one would:
        a full disk must not become a loop of ups.
        """
        attributes = dict(message.attributes)
        command_id = attributes.get(COMMAND_ATTRIBUTE) or message.message_id
        match self._take_up(command_id, message.message_id):
            case _Turn.LATER:
                message.drop()
                return
            case _Turn.REPEAT:
                # The message that is in work sees to the answer. Waiting for it here would keep
                # a thread, and a place in the stream, from other dataflows.
                message.ack()
                return
        try:
            self._service.handle(message.data, attributes)
        except Exception:
            # Delivered again: what was done is in the ledger or in the stack's state.
            log.exception("command_not_answered", message_id=message.message_id)
            message.drop()
        else:
            message.ack()
        finally:
            with self._finished:
                del self._in_work[command_id]
                self._finished.notify_all()

    def _take_up(self, command_id: str, message_id: str) -> _Turn:
        with self._finished:
            bringer = self._in_work.get(command_id)
            if self._stopping.is_set() or bringer == message_id:
                return _Turn.LATER
            if bringer is not None:
                return _Turn.REPEAT
            self._in_work[command_id] = message_id
            return _Turn.NOW
