"""An in-memory provider with enough behaviour to exercise the engine.

Types of package `fake`: properties named in `REPLACING` force a replacement, deletion first when
the resource has `deleteFirst`. A property `fail` (check, diff, create, update, delete, read, init)
makes that call fail, `panic` makes it raise what it must not; `wait` names a file whose appearance
a creation waits for (`wait_read`, `wait_update`, `wait_delete`: another call), a `stubborn` one
even when it is cancelled; with `foreseen` the id is known before the creation, so that what a
dead run has made can be found.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from rehearsal.engine.provider import (
    UNKNOWN,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffKind,
    DiffResult,
    OutcomeUnknownError,
    Properties,
    ProviderError,
    ReadResult,
    ResourceInitFailedError,
    Value,
)

REPLACING = frozenset({"name", "zone"})


class FiledThings(dict[str, Properties]):
    """Things that are written to a folder as they come and go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            (unquote(file.stem), json.loads(file.read_text())) for file in folder.glob("*.json")
        )
        self._folder = folder

    def _file(self, identity: str) -> Path:
        return self._folder / f"{quote(identity, safe='')}.json"

    def __setitem__(self, identity: str, thing: Properties) -> None:
        """Make or change a thing."""
        self._file(identity).write_text(json.dumps(thing))
        super().__setitem__(identity, thing)

    def pop(self, identity: str, default: object = None) -> Properties:
        """Delete a thing."""
        self._file(identity).unlink(missing_ok=True)
        return super().pop(identity, default)  # type: ignore[arg-type]


class World:
    """What exists, and what was asked of the provider."""

    def __init__(self) -> None:
        self.things: dict[str, Properties] = {}
        self.calls: list[tuple[str, str]] = []
        self.configured: list[Properties] = []
        self.environs: list[Mapping[str, str]] = []
        self.failing: set[tuple[str, str]] = set()
        self.timeouts: list[tuple[str, float]] = []
        self.busy = 0
        self.most_busy = 0
        self.folder: Path | None = None

    @classmethod
    def of_files(cls, folder: Path) -> World:
        """Open a world that outlives its process: a file a thing, and a file a call."""
        folder.mkdir(exist_ok=True)
        world = cls()
        world.folder = folder
        world.things = FiledThings(folder)
        return world

    def provider(self) -> FakeProvider:
        """Make a provider that works on this world."""
        return FakeProvider(self)

    def done(self, call: str) -> list[str]:
        """Name the resources that a call was made for, in order."""
        return [name for made, name in self.calls if made == call]


class FakeProvider:
    """The provider of package `fake`."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def check_config(self, inputs: Properties) -> CheckResult:
        """Accept any configuration."""
        return CheckResult(inputs)

    async def configure(self, inputs: Properties, environ: Mapping[str, str]) -> None:
        """Note the configuration; refuse one that says it is broken."""
        self._world.configured.append(inputs)
        self._world.environs.append(environ)
        if inputs.get("broken"):
            raise ProviderError("this provider is broken")
        if inputs.get("panic"):
            raise LookupError("lost in configure")

    async def check(
        self, *, urn: str, type_: str, olds: Properties | None, news: Properties
    ) -> CheckResult:
        """Refuse a wrong size; choose a name where there is none."""
        _break("check", urn, news)
        if news.get("size") == "wrong":
            return CheckResult(news, (CheckFailure("expected a number", "size"),))
        completed = dict(news)
        if "name" not in completed:
            completed["name"] = (olds or {}).get("name", f"{_name(urn)}-{len(self._world.calls)}")
        return CheckResult(completed)

    async def diff(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str] = (),
    ) -> DiffResult:
        """Compare key by key; some keys force a replacement."""
        _break("diff", urn, news)
        detailed: dict[str, DiffKind] = {}
        replaces = []
        for key in sorted(old_inputs.keys() | news.keys()):
            if old_inputs.get(key) == news.get(key):
                continue
            kind = "add" if key not in old_inputs else "delete" if key not in news else "update"
            if key in REPLACING:
                replaces.append(key)
                kind += "-replace"
            detailed[key] = DiffKind(kind)
        return DiffResult(
            changes=bool(detailed),
            replaces=tuple(replaces),
            diffs=tuple(detailed),
            detailed=detailed,
            delete_before_replace=bool(news.get("deleteFirst")),
        )

    async def create(
        self,
        *,
        urn: str,
        type_: str,
        inputs: Properties,
        timeout: float,
        preview: bool,
    ) -> CreateResult:
        """Make a thing whose name is not taken."""
        identity = f"{type_}/{inputs['name']}"
        is_silent = inputs.get("fail") == "reply"
        if preview:
            foreseen = identity if is_silent or inputs.get("foreseen") else UNKNOWN
            return CreateResult("", {**inputs, "id": foreseen, "url": UNKNOWN})
        await self._work("create", urn, inputs, timeout)
        if identity in self._world.things:
            raise ProviderError(f"{identity} exists already")
        outputs = self._outputs(identity, inputs)
        self._world.things[identity] = outputs
        if is_silent:
            raise OutcomeUnknownError(f"nobody said what became of {_name(urn)}")
        if inputs.get("fail") == "init":
            raise ResourceInitFailedError(id=identity, outputs=outputs, reasons=["it is unwell"])
        return CreateResult(identity, dict(outputs))

    async def read(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        outputs: Properties,
        inputs: Properties,
    ) -> ReadResult | None:
        """Read a thing."""
        await self._work("read", urn, inputs)
        thing = self._world.things.get(id)
        if thing is None:
            return None
        return ReadResult(
            id, dict(thing), {k: v for k, v in thing.items() if k not in ("id", "url")}
        )

    async def update(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        timeout: float,
        preview: bool,
    ) -> Properties:
        """Change a thing."""
        outputs = self._outputs(id, news)
        if not preview:
            await self._work("update", urn, news, timeout)
            self._world.things[id] = outputs
        return dict(outputs)

    async def delete(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        outputs: Properties,
        inputs: Properties,
        timeout: float,
    ) -> None:
        """Delete a thing; one that is gone is no error."""
        await self._work("delete", urn, inputs, timeout)
        self._world.things.pop(id, None)

    async def invoke(self, token: str, args: Properties) -> Properties:
        """Answer with what was asked."""
        if token == "fake:index:broken":
            raise ProviderError("no such luck")
        if token == "fake:index:panic":
            raise LookupError("lost in invoke")
        return {"token": token, "echo": args}

    async def close(self) -> None:
        """Note the end."""
        self._world.calls.append(("close", ""))

    async def _work(self, call: str, urn: str, inputs: Properties, timeout: float = 0.0) -> None:
        world = self._world
        world.calls.append((call, _name(urn)))
        if timeout:
            world.timeouts.append((call, timeout))
        if world.folder:
            (world.folder / f"{call}.{_name(urn)}").touch()
        world.busy += 1
        world.most_busy = max(world.most_busy, world.busy)
        try:
            await asyncio.sleep(0)
            if gate := inputs.get("wait" if call == "create" else f"wait_{call}"):
                waiting = asyncio.ensure_future(asyncio.to_thread(_wait_for, Path(str(gate))))
                try:
                    await asyncio.shield(waiting)
                except asyncio.CancelledError:
                    if not inputs.get("stubborn"):
                        raise
                    await waiting
            if (call, _name(urn)) in world.failing:
                raise ProviderError(f"cannot {call} {_name(urn)} now")
            _break(call, urn, inputs)
        finally:
            world.busy -= 1

    @staticmethod
    def _outputs(identity: str, inputs: Properties) -> dict[str, Value]:
        return {**inputs, "id": identity, "url": f"fake://{identity}"}


def _break(call: str, urn: str, inputs: Properties) -> None:
    if inputs.get("fail") == call:
        raise ProviderError(f"cannot {call} {_name(urn)}")
    if inputs.get("panic") == call:
        raise LookupError(f"lost in {call}")


def _wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.01)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
