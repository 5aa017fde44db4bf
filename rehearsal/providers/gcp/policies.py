"""Changing IAM policies: read, modify, write with etags, one writer per resource.

Additions and removals that arrive while a write is under way go out together in the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from rehearsal.engine.provider import ProviderError
from rehearsal.providers.properties import Json, JsonObject, items, mapping, optional_text
from rehearsal.providers.rest import ApiCallError, RestClient

# Somebody else was faster: Storage says 412, every other API 409.
_CONFLICTS: Final = frozenset({409, 412})
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Condition:
    """When a grant holds."""

    expression: str
    title: str
    description: str = ""

    def to_json(self) -> JsonObject:
        """Return the condition as the API writes it."""
        body: JsonObject = {"expression": self.expression, "title": self.title}
        if self.description:
            body["description"] = self.description
        return body


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for one member on one resource."""

    role: str
    member: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The grants of a resource, with what else its policy says."""

    grants: tuple[Grant, ...]
    etag: str = ""

    def holds(self, grant: Grant) -> bool:
        """Tell whether a grant is in the policy."""
        return grant in self.grants


class PolicyStore(Protocol):
    """Where the policy of one resource is kept."""

    @property
    def key(self) -> str:
        """What tells this resource's policy from every other."""
        ...

    async def load(self, rest: RestClient) -> Policy | None:
        """Read the policy; None when the resource is gone."""
        ...

    async def save(self, rest: RestClient, policy: Policy) -> str:
        """Write the policy and return its new etag."""
        ...


def bindings_to_json(grants: Iterable[Grant]) -> list[Json]:
    """Group grants into bindings, in the order in which their roles first appear."""
    grouped: dict[tuple[str, Condition | None], list[Json]] = {}
    for grant in grants:
        grouped.setdefault((grant.role, grant.condition), []).append(grant.member)
    bindings: list[Json] = []
    for (role, condition), members in grouped.items():
        binding: JsonObject = {"role": role, "members": members}
        if condition is not None:
            binding["condition"] = condition.to_json()
        bindings.append(binding)
    return bindings


def grants_from_json(bindings: Json) -> tuple[Grant, ...]:
    """Take bindings apart into grants."""
    grants: list[Grant] = []
    for item in items(bindings):
        binding = mapping(item)
        raw = mapping(binding.get("condition"))
        condition = (
            Condition(
                optional_text(raw, "expression"),
                optional_text(raw, "title"),
                optional_text(raw, "description"),
            )
            if raw
            else None
        )
        role = optional_text(binding, "role")
        grants.extend(
            Grant(role, member, condition)
            for member in items(binding.get("members"))
            if isinstance(member, str)
        )
    return tuple(grants)


def policy_from_json(body: Mapping[str, Json]) -> Policy:
    """Read a policy as most APIs write it."""
    return Policy(grants_from_json(body.get("bindings")), optional_text(body, "etag"))


@dataclass(slots=True, eq=False)
class _Change:
    grant: Grant
    is_addition: bool
    done: asyncio.Future[str]


@dataclass(slots=True)
class _Queue:
    waiting: list[_Change] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class PolicyEditor:
    """Adds and removes grants; one writer per resource in this process."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._queues: dict[str, _Queue] = {}

    async def add(self, store: PolicyStore, grant: Grant) -> str:
        """Add a grant and return the policy's etag."""
        return await self._submit(store, grant, is_addition=True)

    async def remove(self, store: PolicyStore, grant: Grant) -> None:
        """Remove a grant; one that is gone already is a success."""
        await self._submit(store, grant, is_addition=False)

    async def _submit(self, store: PolicyStore, grant: Grant, *, is_addition: bool) -> str:
        """Have a change written; an account just made is unknown to policies for a while."""
        settling = self._rest.backoff(self._rest.patience.settling_s)
        while True:
            change = _Change(grant, is_addition, asyncio.get_running_loop().create_future())
            try:
                return await self._queued(store, change)
            except ApiCallError as error:
                is_settling = error.code == _BAD_REQUEST and "does not exist" in error.message
                if not is_settling or not await settling.pause():
                    raise

    async def _queued(self, store: PolicyStore, change: _Change) -> str:
        queue = self._queues.setdefault(store.key, _Queue())
        queue.waiting.append(change)
        try:
            async with queue.lock:
                if not change.done.done():
                    await self._write_waiting(store, queue)
        finally:
            if change in queue.waiting:
                queue.waiting.remove(change)
        return await change.done

    async def _write_waiting(self, store: PolicyStore, queue: _Queue) -> None:
        batch, queue.waiting = queue.waiting, []
        try:
            await self._write_batch(store, batch)
        finally:
            # After a cancellation the others still wait for the lock, and write what is left.
            queue.waiting[:0] = [change for change in batch if not change.done.done()]

    async def _write_batch(self, store: PolicyStore, batch: Sequence[_Change]) -> None:
        """Write changes together; when the batch is refused, each by itself, to blame one only."""
        try:
            etag = await self._write(store, batch)
        except ApiCallError as error:
            if error.code == _BAD_REQUEST and len(batch) > 1:
                for change in batch:
                    await self._write_batch(store, [change])
                return
            _fail(batch, error)
        except ProviderError as error:
            _fail(batch, error)
        else:
            for change in batch:
                change.done.set_result(etag)

    async def _write(self, store: PolicyStore, batch: Sequence[_Change]) -> str:
        """Read, modify and write until nobody else wrote in between."""
        conflicts = self._rest.backoff(self._rest.patience.transient_s)
        while True:
            try:
                return await self._write_once(store, batch)
            except ApiCallError as error:
                if error.code not in _CONFLICTS or not await conflicts.pause():
                    raise

    async def _write_once(self, store: PolicyStore, batch: Sequence[_Change]) -> str:
        policy = await store.load(self._rest)
        if policy is None:
            if all(not change.is_addition for change in batch):
                return ""
            raise ProviderError(f"the resource of the policy {store.key} does not exist")
        grants = list(policy.grants)
        for change in batch:
            if change.is_addition and change.grant not in grants:
                grants.append(change.grant)
            elif not change.is_addition and change.grant in grants:
                grants.remove(change.grant)
        if tuple(grants) == policy.grants:
            return policy.etag
        return await store.save(self._rest, Policy(tuple(grants), policy.etag))


def _fail(batch: Sequence[_Change], error: ProviderError) -> None:
    for change in batch:
        change.done.set_exception(error)
