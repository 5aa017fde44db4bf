"""Long-running operations of every API, under the names that Google gives them.

A service starts the work or hands in a finished answer; clients poll. What the work does is the
service's matter.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, aborted, failed_precondition, not_found
from rehearsal.cloud.faults.injector import operation_fault
from rehearsal.cloud.store import Store

_KIND: Final = "operations"
EMPTY: Final[JsonObject] = {"@type": "type.googleapis.com/google.protobuf.Empty"}


class Operations:
    """All operations of one local cloud."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._abandon_unfinished()

    def finished(
        self,
        parent: str,
        response: JsonObject,
        *,
        metadata: JsonObject | None = None,
        name: str = "",
    ) -> JsonObject:
        """Record an operation that is done already.

        Args:
            parent: What the operation belongs to, like `projects/p/locations/l`.
            response: The result, with its `@type`.
            metadata: What the API tells about the operation, with its `@type`.
            name: The full name, where the API does not use `<parent>/operations/<id>`.
        """
        name = name or f"{parent}/operations/{uuid.uuid4()}"
        fault = operation_fault()
        if fault.delay_s:
            # Done already, but nobody is to hear of it yet.
            return self._started(name, _result(response), metadata)
        result = {"response": response}
        if fault.error is not None:
            result = {"error": fault.error.to_status()}
        body = _body(name, metadata) | {"done": True} | result
        self._store.put(_KIND, name, body)
        return body

    def accepted(
        self, parent: str, response: JsonObject, *, metadata: JsonObject, name: str = ""
    ) -> JsonObject:
        """Record an operation that is done when it is asked for, and return what came before.

        Google answers so what takes a moment: clients must poll. Arguments as of `finished`.
        """
        operation = self.finished(parent, response, metadata=metadata, name=name)
        return _body(operation["name"], metadata)

    def start(
        self,
        parent: str,
        work: Coroutine[Any, Any, JsonObject],
        *,
        metadata: JsonObject | None = None,
    ) -> JsonObject:
        """Run the work beside the requests; what it returns or raises is the operation's result.

        An `ApiError` becomes the operation's error.
        """
        return self._started(f"{parent}/operations/{uuid.uuid4()}", work, metadata)

    def _started(
        self, name: str, work: Coroutine[Any, Any, JsonObject], metadata: JsonObject | None
    ) -> JsonObject:
        body = _body(name, metadata)
        self._store.put(_KIND, name, body | {"done": False})
        self._tasks[name] = asyncio.create_task(self._run(name, body, work), name=name)
        return body

    def get(self, name: str, package: str = "") -> JsonObject:
        """Return an operation as it stands.

        Args:
            name: Its full name.
            package: Of the API's messages; operations of other APIs may have the same names.

        Raises:
            ApiError: 404.
        """
        body = self._store.get(_KIND, name)
        if body is None or not _is_of(body, package):
            raise not_found(f"Operation '{name}' was not found.")
        return body

    def below(self, parent: str, package: str) -> list[JsonObject]:
        """All operations of a parent that are of an API, by name."""
        found = self._store.items(_KIND, f"{parent}/operations/")
        return [body for _, body in found if _is_of(body, package)]

    def delete(self, name: str, package: str) -> None:
        """Forget an operation that is done; what it did stays.

        Raises:
            ApiError: 404; 400 while it runs.
        """
        if not self.get(name, package)["done"]:
            raise failed_precondition(f"Operation '{name}' is not done.")
        self._store.delete(_KIND, name)

    async def wait(
        self, name: str, package: str = "", timeout_s: float | None = None
    ) -> JsonObject:
        """Return the operation once it is done, or as it stands when the time is up."""
        task = self._tasks.get(name)
        if task is not None:
            await asyncio.wait([task], timeout=timeout_s)
        return self.get(name, package)

    async def stop(self) -> None:
        """Give up all unfinished work."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(
        self, name: str, body: JsonObject, work: Coroutine[Any, Any, JsonObject]
    ) -> None:
        fault = operation_fault()
        result: JsonObject
        try:
            await asyncio.sleep(fault.delay_s)
            result = {"response": await work}
            if fault.error is not None:
                result = {"error": fault.error.to_status()}
        except ApiError as error:
            result = {"error": error.to_status()}
        except Exception as error:
            internal = ApiError(500, "INTERNAL", f"Internal error: {error!r}")
            self._store.put(_KIND, name, body | {"done": True, "error": internal.to_status()})
            raise
        finally:
            work.close()  # It never began if the operation was given up before.
            self._tasks.pop(name, None)
        self._store.put(_KIND, name, body | {"done": True} | result)

    def _abandon_unfinished(self) -> None:
        """Fail what a previous process left unfinished: nobody works on it any more."""
        error = aborted("The local cloud was restarted while the operation ran.").to_status()
        unfinished = [
            (name, body | {"done": True, "error": error})
            for name, body in self._store.items(_KIND)
            if not body["done"]
        ]
        self._store.put_many(_KIND, unfinished)


def _is_of(body: JsonObject, package: str) -> bool:
    kind = body.get("metadata", {}).get("@type", "")
    return not package or f"/{package}." in kind


def _body(name: str, metadata: JsonObject | None) -> JsonObject:
    return {"name": name} | ({"metadata": metadata} if metadata else {})


async def _result(response: JsonObject) -> JsonObject:
    return response
