"""Runs the Pulumi program of several stacks without an engine, and prints what it declares.

A program of its own, `python -m orchestration.automation.declaring`, in the project's folder: the
program is ours, but what it does to Pulumi's global state must not stay in the conductor. It reads
`{"stacks": […], "config": {…}}` from standard input and writes one JSON object a line: `stack`,
`type`, `name`, `inputs`, `protect`. Values that only a cloud can know are left out.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks

from stacks.context import read_context
from stacks.program import declaration_of
from stacks.upstream import VARIABLE

PROJECT = "conductor"
PROJECT_LOOKUP = "gcp:organizations/getProject:getProject"
# Stands for a project's number, which is only in the names of Google's own agents.
NO_NUMBER = "000000000000"
ROOT_TYPE = "pulumi:pulumi:Stack"


class _Nowhere(Mocks):
    """A cloud that makes nothing: what it would add stays unknown."""

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        return {"number": NO_NUMBER} if args.token == PROJECT_LOOKUP else {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return "", args.inputs


class _Recorder(MockMonitor):
    """Prints each resource as it is registered."""

    def __init__(self, stack: str) -> None:
        super().__init__(_Nowhere())
        self._stack = stack

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        if request.type != ROOT_TYPE and request.custom:
            declared = {
                "stack": self._stack,
                "type": request.type,
                "name": request.name,
                "inputs": _known(rpc.deserialize_properties(request.object, keep_unknowns=True)),
                "protect": bool(request.protect),
            }
            sys.stdout.write(json.dumps(declared) + "\n")
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's


def declare(stack: str, config: Mapping[str, str]) -> None:
    """Run the program of one stack, as for a preview of a system that was never deployed."""
    recorder = _Recorder(stack)
    pulumi.runtime.set_mocks(_Nowhere(), PROJECT, stack, preview=True, monitor=recorder)
    pulumi.runtime.set_all_config(dict(config))

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # Pulumi's
    def program() -> pulumi.Output[Any]:
        context = read_context()
        outputs = dict(declaration_of(context.name.layer)(context))
        return pulumi.Output.from_input(outputs).apply(lambda _: None, run_with_unknowns=True)

    program()


def main() -> None:
    """Declare every stack that standard input names."""
    # Modules of the provider deprecate things that nobody here uses.
    warnings.simplefilter("ignore", DeprecationWarning)
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="conductor-declared-") as folder:
        # No outputs at all: what comes from another stack is unknown, and none is referenced.
        nothing = Path(folder) / "upstream.json"
        nothing.write_text("{}", encoding="utf-8")
        os.environ[VARIABLE] = str(nothing)
        for stack in asked["stacks"]:
            declare(stack, asked["config"])


def _known(value: Any) -> Any:
    """Leave unknown values out, however deep; what is no JSON is told by its text."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if not _is_unknown(item)}
    if isinstance(value, list):
        return [_known(item) for item in value if not _is_unknown(item)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _is_unknown(value: Any) -> bool:
    return value == rpc.UNKNOWN or isinstance(value, pulumi.output.Unknown)


if __name__ == "__main__":
    main()
