"""How a layer reads another layer's outputs.

Normally by a `StackReference`. In a preview of several stacks the conductor passes what each
stack would put out on to the next one, in the file that `CONDUCTOR_UPSTREAM` names; then no stack
is referenced, as it may not exist yet, and what is not known before an `up` stays unknown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import pulumi
from pulumi.output import UNKNOWN

from stacks.errors import UpstreamError

VARIABLE = "CONDUCTOR_UPSTREAM"
ORGANIZATION = "organization"
UNKNOWN_MARK = "__unknown__"

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Upstream(Protocol):
    """The outputs of the stacks below this one."""

    def text(self, stack: str, output: str, key: str | None = None) -> pulumi.Output[str]:
        """Return a text that a stack puts out, or one entry of a mapping that it puts out."""
        ...


class ReferencedStacks:
    """Outputs as the engine knows them, read once per stack."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._references: dict[str, pulumi.StackReference] = {}

    def text(self, stack: str, output: str, key: str | None = None) -> pulumi.Output[str]:
        """Return a text that a stack puts out, or one entry of a mapping that it puts out."""
        reference = self._references.get(stack)
        if reference is None:
            name = f"{ORGANIZATION}/{self._project}/{stack}"
            reference = pulumi.StackReference(stack, stack_name=name)
            self._references[stack] = reference
        value: pulumi.Output[Json] = reference.get_output(output)
        return value.apply(lambda found: _text(found, stack, output, key))


class PredictedStacks:
    """Outputs as the conductor predicts them."""

    def __init__(self, outputs: Mapping[str, Mapping[str, Json]]) -> None:
        self._outputs = outputs

    @classmethod
    def read(cls, path: Path) -> PredictedStacks:
        """Read predicted outputs: `{stack: {output: value}}`.

        Raises:
            UpstreamError: the file cannot be read or has another form.
        """
        try:
            outputs = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UpstreamError(f"{VARIABLE}: {path} cannot be read: {error}") from error
        if not isinstance(outputs, dict) or not all(
            isinstance(of_stack, dict) for of_stack in outputs.values()
        ):
            raise UpstreamError(f"{VARIABLE}: {path} is not {{stack: {{output: value}}}}")
        return cls(outputs)

    def text(self, stack: str, output: str, key: str | None = None) -> pulumi.Output[str]:
        """Return a text that a stack would put out; unknown where it has none yet."""
        of_stack = self._outputs.get(stack, {})
        value = of_stack.get(output, {UNKNOWN_MARK: True})
        if not _is_unknown(value) and key is not None and isinstance(value, Mapping):
            value = value.get(key, {UNKNOWN_MARK: True})
            key = None
        if not _is_unknown(value):
            return pulumi.Output.from_input(_text(value, stack, output, key))
        if not pulumi.runtime.is_dry_run():
            raise UpstreamError(
                f"output {output!r} of stack {stack!r} is unknown; bring it up first"
            )
        return pulumi.Output.from_input(cast("str", UNKNOWN))


def upstream_of(project: str, environ: Mapping[str, str] = os.environ) -> Upstream:
    """Choose how outputs are read: predicted where a prediction is given, else referenced."""
    if path := environ.get(VARIABLE):
        return PredictedStacks.read(Path(path))
    return ReferencedStacks(project)


def _text(value: Json, stack: str, output: str, key: str | None) -> str:
    where = f"output {output!r} of stack {stack!r}"
    if key is not None:
        if not isinstance(value, Mapping) or key not in value:
            raise UpstreamError(f"{where} has no entry {key!r}; bring that stack up first")
        value = value[key]
    if not isinstance(value, str):
        raise UpstreamError(f"{where} is missing; bring that stack up first")
    return value


def _is_unknown(value: Json) -> bool:
    return isinstance(value, Mapping) and value.get(UNKNOWN_MARK) is True
