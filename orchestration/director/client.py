"""The conductor's side: sends commands and waits for their completions.

One subscription per run, filtered by the run's id and made before the first command, so that no
answer can be missed and nobody else's is seen. Answers are matched by command id. A command is
sent again, under the same id, until it is answered or its deadline has passed: the director
answers repeats from its ledger.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog

from orchestration.concurrency import is_stopping, refuse_when_stopping, woken_by_stop
from orchestration.director.answers import FIRST_RESEND_S, Answers, resend_pauses
from orchestration.director.messages import (
    RUN_ATTRIBUTE,
    Command,
    Completion,
    CompletionStatus,
    encode,
)
from orchestration.errors import CloudUnreachable, DirectorRefused, DirectorSilent

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
    from google.cloud.pubsub_v1.subscriber.futures import StreamingPullFuture
    from google.cloud.pubsub_v1.subscriber.message import Message

log = structlog.get_logger(__name__)
# How a pull ends is told here; where nobody else listens, Google's libraries would write their
# threads' tracebacks to the terminal.
logging.getLogger("google").addHandler(logging.NullHandler())

# A subscription that a crash left behind goes by itself (Pub/Sub's shortest expiration).
EXPIRATION_S = 24 * 3600
RETENTION_S = 3600
# A publish that takes longer is repeated anyway.
PUBLISH_TIMEOUT_S = 5.0
DELETE_TIMEOUT_S = 5.0
# Acknowledgements under way need the connection; a cloud that is away gets none of them.
PULL_END_TIMEOUT_S = 2.0


class RemoteDirectorClient:
    """Sends commands to one director on behalf of one run; safe to use from several threads."""

    def __init__(
        self,
        *,
        run_id: str,
        command_topic: str,
        completion_topic: str,
        publisher: PublisherClient,
        subscriber: SubscriberClient,
        first_resend_s: float = FIRST_RESEND_S,
        require_cloud: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_id = run_id
        self._command_topic = command_topic
        self._completion_topic = completion_topic
        self._publisher = publisher
        self._subscriber = subscriber
        self._first_resend_s = first_resend_s
        self._require_cloud = require_cloud
        project = completion_topic.split("/topics/", maxsplit=1)[0]
        name = completion_topic.rpartition("/")[2]
        self._subscription = f"{project}/subscriptions/{name}-{run_id}"
        self._answers = Answers(run_id)
        self._arrived = threading.Condition()
        self._broken: str | None = None
        self._stop_pull: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        """Subscribe to this run's completions.

        Raises:
            CloudUnreachable: the subscription could not be made.
        """
        from google.api_core.exceptions import AlreadyExists, GoogleAPIError  # noqa: PLC0415
        from google.protobuf.duration_pb2 import Duration  # noqa: PLC0415 - brings grpc along

        try:
            self._subscriber.create_subscription(
                request={
                    "name": self._subscription,
                    "topic": self._completion_topic,
                    "filter": f'attributes.{RUN_ATTRIBUTE} = "{self._run_id}"',
                    "expiration_policy": {"ttl": Duration(seconds=EXPIRATION_S)},
                    # An expiration shorter than the retention (by default 7 days) is refused.
                    "message_retention_duration": Duration(seconds=RETENTION_S),
                    "ack_deadline_seconds": 10,
                }
            )
        except AlreadyExists:
            log.info("subscription_reused", subscription=self._subscription)
        except GoogleAPIError as error:
            self._disconnect()
            raise CloudUnreachable(
                f"no subscription to the director's completions: {error}"
            ) from error
        self._pull()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and delete the subscription; leaving it would cost nothing but clutter."""
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415 - as above

        self._stop_pull()
        try:
            # Tried once: a cloud that is away must not hold up the end of the run.
            self._subscriber.delete_subscription(
                request={"subscription": self._subscription}, retry=None, timeout=DELETE_TIMEOUT_S
            )
        except GoogleAPIError as failure:
            log.warning("subscription_left", subscription=self._subscription, why=str(failure))
        self._disconnect()

    def _disconnect(self) -> None:
        self._subscriber.close()
        self._publisher.transport.close()

    def _pull(self) -> None:
        self._broken = None
        future = self._subscriber.subscribe(self._subscription, callback=self._receive)
        future.add_done_callback(lambda done: self._pull_ended(done.exception))
        self._stop_pull = partial(_end, future)

    def call(self, command: Command, timeout_s: float) -> Completion:
        """Send a command and wait for its completion.

        Raises:
            DirectorSilent: no completion came in time.
            DirectorRefused: the director answered with an error.
            CloudUnreachable: the cloud has gone.
            Interrupted: the user pressed Ctrl-C.
        """
        with woken_by_stop(self._wake):
            return self._call(command, timeout_s)

    def _wake(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    def _call(self, command: Command, timeout_s: float) -> Completion:
        started = time.monotonic()
        pauses = resend_pauses(self._first_resend_s)
        while True:
            refuse_when_stopping()
            self._send(command)
            with self._arrived:
                if self._broken is not None:
                    self._pull()
            left = timeout_s - (time.monotonic() - started)
            completion = self._wait(command.command_id, min(next(pauses), max(left, 0.0)))
            if completion is not None:
                return _checked(command, completion)
            if time.monotonic() - started >= timeout_s:
                raise self._silent(command, time.monotonic() - started)

    def _send(self, command: Command) -> None:
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415 - as above

        data, attributes = encode(command)
        try:
            self._publisher.publish(self._command_topic, data, **attributes).result(
                timeout=PUBLISH_TIMEOUT_S
            )
        except (GoogleAPIError, TimeoutError) as error:
            # Sent again at the next turn: a cloud that is away for a while is no reason to fail,
            # one that has gone for good is.
            self._require_cloud()
            log.warning("command_not_sent", command_id=command.command_id, why=str(error))

    def _wait(self, command_id: str, timeout_s: float) -> Completion | None:
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._answers.find(command_id) is not None or is_stopping(),
                timeout=timeout_s,
            )
            return self._answers.find(command_id)

    def _receive(self, message: Message) -> None:
        """Take one message; whatever it is, it is acknowledged: nobody else waits for it."""
        with self._arrived:
            self._answers.take(message.data, dict(message.attributes))
            self._arrived.notify_all()
        message.ack()

    def _pull_ended(self, outcome: Callable[[], BaseException | None]) -> None:
        try:
            failure = outcome()
        except CancelledError:
            return
        if failure is not None:
            self._broken = str(failure)
            log.warning("completion_pull_ended", why=self._broken)

    def _silent(self, command: Command, waited_s: float) -> DirectorSilent:
        broken = f" (listening failed: {self._broken})" if self._broken else ""
        return DirectorSilent(
            f"the director did not complete {command.instruction.value} of dataflow"
            f" {command.dataflow} within {waited_s:.0f} s (command {command.command_id}){broken}",
            hint="look at the director's log and at its command subscription, then run"
            " `conductor up` again",
        )


def _end(pull: StreamingPullFuture) -> None:
    """End a pull and wait until it needs its connection no more."""
    pull.cancel()
    # How it ended is its callback's matter.
    with suppress(Exception):
        pull.result(timeout=PULL_END_TIMEOUT_S)


def _checked(command: Command, completion: Completion) -> Completion:
    if completion.status is CompletionStatus.OK:
        return completion
    error = completion.error
    reason = f"{error.message} [{error.code}]" if error else "it gave no reason"
    raise DirectorRefused(
        f"the director failed {command.instruction.value} of dataflow {command.dataflow}: {reason}",
        hint="mend the cause and run `conductor up` again; the director goes on from what it made",
    )
