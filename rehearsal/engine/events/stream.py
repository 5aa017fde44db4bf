"""The stream of engine events: numbered, and handed to everybody who listens."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import grpc
from pulumi.runtime.proto import events_pb2, events_pb2_grpc

from rehearsal.engine.configuration.stack_configuration import ConfigValue
from rehearsal.engine.state.steps import Op, Step
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import JsonObject

MESSAGE_LIMIT: Final = 400 * 1024 * 1024
CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
)
_FAR_BEHIND: Final = 1000
Listener = Callable[[JsonObject], None]


class EventSink(Protocol):
    """Where `--event-log` wants the events."""

    def write(self, text: str) -> None:
        """Take one event as JSON."""
        ...

    async def keep_pace(self) -> None:
        """Return once few enough events wait to be read."""
        ...

    async def close(self) -> None:
        """Return once everything has arrived."""
        ...


class FileSink:
    """Appends events to a file, one a line."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8")

    def write(self, text: str) -> None:
        """Write a line and let readers see it."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    async def keep_pace(self) -> None:
        """Return at once: a file takes everything."""

    async def close(self) -> None:
        """Close the file."""
        self._stream.close()


class GrpcSink:
    """Streams events to the Automation API's own server. One that does not answer is no error."""

    def __init__(self, address: str) -> None:
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._caught_up = asyncio.Event()
        self._sending = asyncio.create_task(self._send(address))
        self._sending.add_done_callback(lambda _sent: self._caught_up.set())

    def write(self, text: str) -> None:
        """Queue an event."""
        self._queue.put_nowait(text)

    async def keep_pace(self) -> None:
        """Wait for the reader while it is far behind."""
        if self._queue.qsize() > _FAR_BEHIND and not self._sending.done():
            self._caught_up.clear()
            await self._caught_up.wait()

    async def close(self) -> None:
        """End the stream and wait for the reader's answer."""
        self._queue.put_nowait(None)
        await self._sending

    async def _send(self, address: str) -> None:
        async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
            try:
                await events_pb2_grpc.EventsStub(channel).StreamEvents(self._requests())
            except grpc.RpcError:
                return

    async def _requests(self) -> AsyncIterator[events_pb2.EventRequest]:
        while (text := await self._queue.get()) is not None:
            if self._queue.qsize() <= _FAR_BEHIND:
                self._caught_up.set()
            yield events_pb2.EventRequest(event=text)


def open_sink(target: str) -> EventSink | None:
    """Open what `--event-log` names; an empty target is no log."""
    if not target:
        return None
    if target.startswith("tcp://"):
        return GrpcSink(target.removeprefix("tcp://"))
    return FileSink(Path(target))


class EventLog:
    """Numbers the events of one operation and counts what its steps did."""

    def __init__(
        self, *, sink: EventSink | None, listeners: Sequence[Listener], is_preview: bool
    ) -> None:
        self._sink = sink
        self._listeners = tuple(listeners)
        self._is_preview = is_preview
        self._sequence = 0
        self._started = time.monotonic()
        self.changes: Counter[str] = Counter()

    def _emit(self, kind: str, payload: JsonObject) -> None:
        event: JsonObject = {
            "sequence": self._sequence,
            "timestamp": int(time.time()),
            kind: payload,
        }
        self._sequence += 1
        if self._sink:
            self._sink.write(gojson.dumps(event))
        for listener in self._listeners:
            listener(event)

    def prelude(self, config: Mapping[str, ConfigValue]) -> None:
        """Say what the configuration is."""
        self._emit(
            "preludeEvent",
            {
                "config": {
                    key: "[secret]" if value.secret else value.text for key, value in config.items()
                }
            },
        )

    def step_started(self, step: Step) -> None:
        """Say that a step begins."""
        self._emit("resourcePreEvent", self._of(step))

    def step_finished(self, step: Step) -> None:
        """Say what came out of a step."""
        self._emit("resOutputsEvent", self._of(step))

    def step_failed(self, step: Step) -> None:
        """Say that a step failed, and after how many that were counted."""
        self._emit(
            "resOpFailedEvent",
            {"metadata": step.metadata(), "status": 0, "steps": self.changes.total()},
        )

    def failure(self, messages: Sequence[str], step: Step) -> None:
        """Say why a step cannot be done; a preview has no steps that fail, only the reasons."""
        before = "Preview failed: " if self._is_preview else ""
        for message in messages:
            self.diagnostic(f"{before}{message}", urn=step.urn)
        if not self._is_preview:
            self.step_failed(step)

    def count(self, op: Op) -> None:
        """Count a change for the summary."""
        self.changes[op.value] += 1

    def diagnostic(
        self, message: str, severity: str = "error", urn: str = "", stream: int = 0
    ) -> None:
        """Tell the user something."""
        payload: JsonObject = {"urn": urn} if urn else {}
        if severity in {"error", "warning"}:
            payload["prefix"] = f"{severity}: "
        payload |= {"message": f"{message}\n", "color": "never", "severity": severity}
        if stream:
            payload["streamID"] = stream
        self._emit("diagnosticEvent", payload)

    def stdout(self, message: str) -> None:
        """Show a message of the engine itself."""
        self._emit("stdoutEvent", {"message": message, "color": "never"})

    def summary(self, result: str, *, maybe_corrupt: bool) -> None:
        """Say how it went."""
        self._emit(
            "summaryEvent",
            {
                "maybeCorrupt": maybe_corrupt,
                "durationSeconds": math.ceil(time.monotonic() - self._started),
                "resourceChanges": dict(sorted(self.changes.items())),
                "PolicyPacks": {},
                "isPreview": self._is_preview,
                "result": result,
            },
        )

    async def keep_pace(self) -> None:
        """Wait for the log's reader while it is far behind: a program may print without end."""
        if self._sink:
            await self._sink.keep_pace()

    async def close(self) -> None:
        """Send the last event and wait until the log's reader has it."""
        self._emit("cancelEvent", {})
        if self._sink:
            await self._sink.close()

    def _of(self, step: Step) -> JsonObject:
        payload: JsonObject = {"metadata": step.metadata()}
        if self._is_preview:
            payload["planning"] = True
        return payload
