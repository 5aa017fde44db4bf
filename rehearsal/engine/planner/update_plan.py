"""Update plans: what a preview planned, so that an `up` does that and nothing else.

`preview --save-plan FILE` writes down each step with the inputs that it leads to; `up --plan FILE`
refuses, before it is begun, every step that is not in the file, that has other inputs, or that
changes more. What was not known to the preview may turn out as it will. The real engine's plans
have the same purpose and another form; theirs are declined here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rehearsal.engine.errors import CommandFailedError, DeploymentError
from rehearsal.engine.files import write_atomically
from rehearsal.engine.provider import Unknown
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.state.steps import Op, Step
from rehearsal.engine.values.gojson import Json
from rehearsal.engine.values.property_values import EngineProperties, EngineValue, Secret

FORMAT: Final = "embedded-plan-1"
# Steps that change nothing in the cloud; whatever was planned, these may be done instead.
_HARMLESS: Final = frozenset(
    {
        Op.SAME,
        Op.READ,
        Op.READ_REPLACEMENT,
        Op.REFRESH,
        Op.DISCARD,
        Op.DISCARD_REPLACED,
        Op.REMOVE_PENDING_REPLACE,
    }
)


@dataclass(slots=True)
class PlannedSteps:
    """What is planned for one resource: its steps, what they change, and to what."""

    ops: list[str] = field(default_factory=list)
    diffs: list[str] = field(default_factory=list)
    inputs: EngineProperties = field(default_factory=dict)


class UpdatePlan:
    """The planned steps of one stack, by URN."""

    def __init__(self, planned: Mapping[str, PlannedSteps] | None = None) -> None:
        self._planned = dict(planned or {})

    @classmethod
    def read(cls, path: Path, codec: StateCodec) -> UpdatePlan:
        """Read a plan that a preview of this engine has written.

        Raises:
            CommandFailedError: there is none, or it is not of this engine.
        """
        try:
            document = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise CommandFailedError(f"could not load the plan {path}: {error}") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise CommandFailedError(
                f"{path} is not a plan of the embedded engine; save one with its own"
                " `preview --save-plan`"
            )
        return cls(
            {
                urn: PlannedSteps(
                    ops=list(entry["steps"]),
                    diffs=list(entry["diffs"]),
                    inputs=codec.read(f"{urn}.plan", entry["inputs"]),
                )
                for urn, entry in document["resourcePlans"].items()
            }
        )

    def note(self, step: Step) -> None:
        """Write a step down."""
        planned = self._planned.setdefault(step.urn, PlannedSteps())
        planned.ops.append(step.op.value)
        planned.diffs += [path for path in _changed(step) if path not in planned.diffs]
        if step.new is not None:
            planned.inputs = step.new.inputs

    def write(self, path: Path, codec: StateCodec) -> None:
        """Write the plan to a file that only its owner can read; secrets are encrypted in it."""
        document: dict[str, Json] = {
            "format": FORMAT,
            "resourcePlans": {
                urn: {
                    "steps": list(planned.ops),
                    "diffs": list(planned.diffs),
                    "inputs": codec.write(f"{urn}.plan", planned.inputs),
                }
                for urn, planned in sorted(self._planned.items())
            },
        }
        write_atomically(path, json.dumps(document, indent=2))
        path.chmod(0o600)

    def refuse_unplanned(self, step: Step) -> None:
        """Refuse a step that is not in the plan.

        Raises:
            DeploymentError: it was not planned, or not like this.
        """
        if step.op in _HARMLESS or step.subject.is_provider:
            return
        planned = self._planned.get(step.urn)
        if planned is None or step.op.value not in planned.ops:
            expected = " and ".join(planned.ops) if planned is not None else "nothing"
            raise DeploymentError(
                f"{step.op.value} is not allowed by the plan: this resource is to"
                f" {expected or 'nothing'}",
                step.urn,
            )
        unplanned = [path for path in _changed(step) if path not in planned.diffs]
        if unplanned:
            raise DeploymentError(
                f"{step.op.value} violates the plan: it changes {', '.join(unplanned)} too",
                step.urn,
            )
        if step.new is not None and not _admits(planned.inputs, step.new.inputs):
            others = sorted(
                key
                for key in {*planned.inputs, *step.new.inputs}
                if not _admits(planned.inputs.get(key), step.new.inputs.get(key))
            )
            raise DeploymentError(
                f"{step.op.value} violates the plan: {', '.join(others)} is not as planned",
                step.urn,
            )


def _changed(step: Step) -> list[str]:
    """Name what a step changes: the properties at the top, however deep the difference is."""
    return sorted(
        {path.partition("[")[0].partition(".")[0] for path in (step.detailed or step.diffs)}
    )


def _admits(planned: EngineValue, actual: EngineValue) -> bool:
    """Whether a value is what was planned, or in place of what was not known then."""
    if isinstance(planned, Unknown):
        return True
    if isinstance(planned, Secret) or isinstance(actual, Secret):
        return _admits(
            planned.value if isinstance(planned, Secret) else planned,
            actual.value if isinstance(actual, Secret) else actual,
        )
    if isinstance(planned, Mapping) and isinstance(actual, Mapping):
        return planned.keys() == actual.keys() and all(
            _admits(value, actual[key]) for key, value in planned.items()
        )
    if isinstance(planned, list | tuple) and isinstance(actual, list | tuple):
        return len(planned) == len(actual) and all(
            _admits(one, other) for one, other in zip(planned, actual, strict=True)
        )
    return planned == actual
