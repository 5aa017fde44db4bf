"""The instances of one revision: how many there are, and which one answers the next request.

`scaling` says how many there shall be, `capacity` how many this machine bears. Which revision a
request is for is `site`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.pubsub.grpc_server import PubsubPort, serve_grpc
from rehearsal.cloud.run import conditions, crashes, failures
from rehearsal.cloud.run.capacity import Room
from rehearsal.cloud.run.crashes import Crashes
from rehearsal.cloud.run.environment import RevisionNames
from rehearsal.cloud.run.instance import Blueprint, Instance, Workshop
from rehearsal.cloud.run.scaling import Scaling
from rehearsal.cloud.uninterrupted import uninterrupted

# Google keeps an idle instance for up to 15 minutes.
IDLE_S: Final = 30.0
# How long a request waits for an instance, as Cloud Run queues it: so long, or 3.5 times what an
# instance takes to start, whichever is more.
PATIENCE_S: Final = 10.0
_STARTS_WAITED_FOR: Final = 3.5
_MOST_WAITING: Final = 1000

_FULL_PAUSE_S: Final = 1.0

_ROLLOUT: Final = (
    "DEPLOYMENT_ROLLOUT - Instance started due to traffic shifting between revisions due to "
    "deployment, traffic split adjustment, or deployment health check."
)
_AUTOSCALING: Final = (
    "AUTOSCALING - Instance started due to configured scaling factors (e.g. CPU utilization, "
    "request throughput, etc.) or no existing capacity for current traffic."
)


class NoInstanceError(Exception):
    """No instance answers a request; `code` is the HTTP status that says so."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Fleet:
    """Starts, chooses, replaces and ends the instances of one revision."""

    def __init__(
        self,
        workshop: Workshop,
        name: str,
        template: JsonObject,
        scaling: Scaling,
        tell: Callable[[JsonObject], None],
    ) -> None:
        """Prepare a revision by its full name (`…/services/S/revisions/R`).

        Args:
            workshop: What its instances run with.
            name: The revision's full name.
            template: Its template, with its defaults.
            scaling: How many instances it shall have.
            tell: Takes conditions of the revision as they change.
        """
        _, _, _, region, _, service, _, revision = name.split("/")
        self.names = RevisionNames(service, revision)
        self.scaling = scaling
        self._shop = workshop
        self._tell = tell
        log = workshop.logs.of(region, service, revision)
        self._blueprint = Blueprint(self.names, region, template, log, pubsub_port=0)
        self._pubsub: PubsubPort | None = None
        self._opening = asyncio.Lock()
        self._instances: list[Instance] = []
        self._starting = 0
        self._rooms: set[Room] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._waiting: deque[asyncio.Future[Instance]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._is_first_up = False
        self._is_short = False
        self._is_minimum_up: bool | None = None
        self._crashes = Crashes(tell)
        self._start_took_s = 0.0

    @property
    def timeout_s(self) -> float:
        """Return how long an answer may take."""
        return float(self._blueprint.template["timeout"].removesuffix("s"))

    @property
    def instances(self) -> list[Instance]:
        """Return the instances that serve."""
        return list(self._instances)

    async def start(self) -> None:
        """Start the first instance and return once it serves; `adjust` starts the others.

        Raises:
            ApiError: its image or a secret is missing, it does not listen in time, or this machine
                is full.
        """
        try:
            await self._grow(_ROLLOUT, self._required_room())
        except BaseException:
            await self.stop()
            raise

    def begin(self) -> None:
        """Start what instances there shall be, without waiting for them."""
        self._is_first_up = True
        self.adjust()

    def resize(self, scaling: Scaling) -> None:
        """Have another number of instances."""
        self.scaling = scaling
        self.adjust()

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Instance]:
        """Give a request the instance that answers it, once there is one.

        Raises:
            NoInstanceError: there is none in time.
        """
        instance = await self._place()
        try:
            yield instance
        finally:
            self._release(instance)

    async def drain(self, timeout_s: float) -> None:
        """End the revision once its requests are answered or the time is up."""
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._quiet.wait(), timeout_s)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End every instance, even when cancelled meanwhile."""
        await uninterrupted(self._stop())

    async def _stop(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for place in self._waiting:
            if not place.done():
                place.set_exception(NoInstanceError(503, "Service Unavailable"))
        instances, self._instances = self._instances, []
        await asyncio.gather(*(instance.stop() for instance in instances))
        # Also those of starts that were given up before they began.
        for room in self._rooms:
            room.give_back()
        if self._pubsub is not None:
            await self._pubsub.stop()

    def say(self, text: str, instance: str = "-") -> None:
        """Write a line of the platform's own into the revision's log."""
        self._blueprint.log.write(instance, text)

    def adjust(self) -> None:
        """Hand out instances that have room; start or end some where there should be more or less.

        Called whenever anything changed; it starts what takes time and returns.
        """
        if self._is_closed:
            return
        self._hand_out()
        self._note_minimum()
        wanted = self.scaling.wanted(self._busy())
        missing = wanted - len(self._instances) - self._starting
        # Until the first one has proved itself, nothing else is started.
        if missing > 0 and (self._is_first_up or not self._starting):
            if self._crashes.pause_s > 0:
                self._look_again(self._crashes.pause_s)
                return
            for _ in range(missing):
                room = self._room()
                if room is None:
                    self._look_again(_FULL_PAUSE_S)
                    return
                self._in_background(self._grow_quietly(room))
        else:
            if not missing:
                self._note_room(is_there=True)
            self._shrink(len(self._instances) - wanted)

    def _busy(self) -> int:
        return len(self._waiting) + sum(instance.in_flight for instance in self._instances)

    async def _place(self) -> Instance:
        if self._is_closed or self.scaling.most == 0:
            raise NoInstanceError(503, "Service Unavailable")
        place: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        if len(self._waiting) >= _MOST_WAITING:
            raise self._refusal()
        self._waiting.append(place)
        self._quiet.clear()
        self.adjust()
        patience_s = max(PATIENCE_S, _STARTS_WAITED_FOR * self._start_took_s)
        try:
            async with asyncio.timeout(patience_s):
                return await place
        except (TimeoutError, asyncio.CancelledError) as error:
            # Given at the last moment, and to nobody any more.
            if place.done() and not place.cancelled() and place.exception() is None:
                self._release(place.result())
            if isinstance(error, TimeoutError):
                raise self._refusal() from error
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(place)
            self._note_quiet()

    def _refusal(self) -> NoInstanceError:
        if not self._instances:
            self.say("The request failed because no instance could start successfully.")
            return NoInstanceError(503, "Service Unavailable")
        message = "The request was aborted because there was no available instance."
        self.say(message)
        return NoInstanceError(429, f"Rate exceeded. {message}")

    def _hand_out(self) -> None:
        """Give waiting requests the instances with the fewest requests."""
        while self._waiting:
            concurrency = self.scaling.concurrency
            free = [one for one in self._instances if one.has_room(concurrency)]
            if not free:
                return
            place = self._waiting.popleft()
            if not place.done():
                chosen = min(free, key=lambda one: one.in_flight)
                chosen.in_flight += 1
                place.set_result(chosen)

    def _release(self, instance: Instance) -> None:
        instance.in_flight -= 1
        instance.idle_since_s = time.monotonic()
        self._note_quiet()
        self.adjust()

    def _note_quiet(self) -> None:
        if not self._busy():
            self._quiet.set()

    def _room(self) -> Room | None:
        """Reserve this machine's room for an instance that is about to start."""
        is_extra = bool(self._instances or self._starting)
        room = self._shop.capacity.take(is_extra=is_extra)
        if room is not None:
            self._starting += 1
            self._rooms.add(room)
        self._note_room(is_there=room is not None)
        return room

    def _note_room(self, *, is_there: bool) -> None:
        if is_there is self._is_short:
            self._is_short = not is_there
            problem = "" if is_there else self._shop.capacity.refusal()
            self._tell(conditions.resources(problem))
            self.say(problem or "There is room for instances again.")

    def _required_room(self) -> Room:
        room = self._room()
        if room is None:
            raise failures.no_room(self.names.revision, self._shop.capacity.refusal())
        return room

    def _give_back(self, room: Room) -> None:
        room.give_back()
        self._rooms.discard(room)

    async def _grow_quietly(self, room: Room) -> None:
        """Start an instance; where that fails, try again later if it is still needed."""
        try:
            await self._grow(_AUTOSCALING, room)
        except ApiError as error:
            self.say(error.message.splitlines()[0])
            self._crashes.note(failures.why(error).splitlines()[0])
        self.adjust()

    async def _grow(self, reason: str, room: Room) -> None:
        """Start an instance that there is room for.

        Raises:
            ApiError: it does not start.
        """
        began_at_s = time.monotonic()
        try:
            instance = Instance(self._shop, await self._opened())
            self.say(f"Starting new instance. Reason: {reason}", instance.id)
            await instance.start()
        except BaseException as error:
            self._give_back(room)
            if isinstance(error, ApiError) or not isinstance(error, Exception):
                raise
            # A damaged image, say, or no port to be had: the revision fails, whatever it is.
            raise failures.broken(self.names.revision, error) from error
        finally:
            self._starting -= 1
        self._start_took_s = time.monotonic() - began_at_s
        self._instances.append(instance)
        self._is_first_up = True
        self._in_background(self._tend(instance, room))

    async def _opened(self) -> Blueprint:
        """Return what instances are made of, once the revision has its port of Pub/Sub."""
        async with self._opening:
            if self._pubsub is None:
                account = self._blueprint.template["serviceAccount"]
                self._pubsub = await serve_grpc(self._shop.cloud, f"serviceAccount:{account}")
                self._blueprint = replace(self._blueprint, pubsub_port=self._pubsub.port)
        return self._blueprint

    async def _tend(self, instance: Instance, room: Room) -> None:
        """Wait for an instance's end, and see to it that it is replaced where it is missed."""
        ending = asyncio.ensure_future(instance.ended())
        try:
            await asyncio.wait([ending], timeout=crashes.STABLE_AFTER_S)
            if not ending.done():
                self._crashes.end()
            how = await ending
        finally:
            ending.cancel()
        if self._is_closed:
            return
        if not instance.is_leaving:
            self._instances.remove(instance)
            self.say(how, instance.id)
            self._crashes.note(how)
        await instance.stop()
        self._give_back(room)
        self.adjust()

    def _note_minimum(self) -> None:
        promised = self.scaling.promised
        is_up = len(self._instances) >= promised
        if promised and is_up is not self._is_minimum_up:
            self._is_minimum_up = is_up
            self._tell(conditions.min_instances(are_up=is_up))

    def _shrink(self, surplus: int) -> None:
        """End instances that nobody has needed for a while."""
        idle = sorted(
            (one for one in self._instances if not one.in_flight), key=lambda one: one.idle_since_s
        )
        for instance in idle[: max(0, surplus)]:
            left_s = instance.idle_since_s + IDLE_S - time.monotonic()
            if left_s > 0:
                self._look_again(left_s)
                return
            self._instances.remove(instance)
            instance.is_leaving = True
            self.say("Shutting down idle instance.", instance.id)
            self._in_background(instance.stop())

    def _look_again(self, after_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after_s, self.adjust)

    def _in_background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
