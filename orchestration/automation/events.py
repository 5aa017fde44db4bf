"""Engine events into our own types: progress as it happens, failures, planned steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from pulumi.automation import EngineEvent, OpType
from pulumi.automation.events import (
    DiagnosticEvent,
    StepEventMetadata,
    StepEventStateMetadata,
)

from orchestration.automation.results import (
    MASKED_SECRET,
    UNKNOWN_OUTPUT,
    EventKind,
    Failures,
    Json,
    OnStackEvent,
    PlannedStep,
    PropertyChange,
    StackEvent,
)

# Colour directives of the engine's texts: `<{%fg 1%}>`, `<{%reset%}>`.
COLOUR = re.compile(r"<\{%.*?%\}>")
# What the SDK sends in place of an unknown value (`pulumi.runtime.rpc.UNKNOWN`).
UNKNOWN_WIRE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"  # noqa: S105 - a marker of the protocol
ROOT_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
# Texts that close a failed operation and say nothing of the cause.
GENERIC_ERRORS = ("update failed", "preview failed", "destroy failed", "refresh failed")


class EventReader:
    """Reads the events of one operation on one stack."""

    def __init__(self, stack: str, on_event: OnStackEvent) -> None:
        self.stack = stack
        self.failures = Failures()
        self.outputs: dict[str, Json] = {}
        self._on_event = on_event
        self._steps: dict[str, PlannedStep] = {}
        self._refreshing: set[str] = set()
        # What was asked for last time, of resources that a refresh found changed or gone.
        self._drifted: dict[str, Mapping[str, object]] = {}

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps seen, in the order in which the engine announced them."""
        return tuple(self._steps.values())

    def __call__(self, event: EngineEvent) -> None:
        """Take one event."""
        if event.resource_pre_event is not None:
            if event.resource_pre_event.metadata.op is OpType.REFRESH:
                self._refreshing.add(event.resource_pre_event.metadata.urn)
            self._report(EventKind.STARTED, event.resource_pre_event.metadata)
            self._plan(event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            metadata = event.res_outputs_event.metadata
            if metadata.urn in self._refreshing:
                # Its operation says what was found, `delete` for what is gone; nothing was done.
                self._refreshing.remove(metadata.urn)
                self._note_drift(metadata)
                self._report(EventKind.FINISHED, metadata, OpType.REFRESH)
                return
            self._report(EventKind.FINISHED, metadata)
            if metadata.type == ROOT_TYPE and metadata.new is not None:
                self.outputs = {
                    name: _predicted(cast("Json", value))
                    for name, value in (metadata.new.outputs or {}).items()
                }
        elif event.res_op_failed_event is not None:
            self._report(EventKind.FAILED, event.res_op_failed_event.metadata)
        elif event.diagnostic_event is not None:
            self._diagnose(event.diagnostic_event)

    def _report(
        self, kind: EventKind, metadata: StepEventMetadata, operation: OpType | None = None
    ) -> None:
        if metadata.type == ROOT_TYPE or metadata.type.startswith(PROVIDER_PREFIX):
            return
        self._on_event(
            StackEvent(
                stack=self.stack,
                kind=kind,
                operation=str((operation or metadata.op).value),
                urn=metadata.urn,
                type=metadata.type,
                name=name_of(metadata.urn),
            )
        )

    def _plan(self, metadata: StepEventMetadata) -> None:
        if metadata.type == ROOT_TYPE or metadata.type.startswith(PROVIDER_PREFIX):
            return
        if not metadata.logical or metadata.op is OpType.REFRESH:
            return
        asked = self._drifted.get(metadata.urn)
        detailed = metadata.detailed_diff or {}
        changes = tuple(
            PropertyChange(path=path, kind=str(difference.diff_kind.value))
            for path, difference in sorted(detailed.items())
        )
        self._steps[metadata.urn] = PlannedStep(
            operation=str(metadata.op.value),
            urn=metadata.urn,
            type=metadata.type,
            name=name_of(metadata.urn),
            changes=changes,
            # What is replaced though nothing of its own differs goes with what it belongs to.
            repairs_drift=asked is not None
            and metadata.new is not None
            and metadata.new.inputs == asked
            and (metadata.op is OpType.CREATE or bool(changes)),
            member=_member(metadata),
            is_custom=any(s is not None and bool(s.custom) for s in (metadata.old, metadata.new)),
            before=_shown(metadata.old),
            after=_shown(metadata.new),
        )

    def _note_drift(self, metadata: StepEventMetadata) -> None:
        """Remember what was asked for where a refresh finds something else, or nothing."""
        old, new = metadata.old, metadata.new
        if old is None:
            return
        if new is None or (new.inputs, new.outputs) != (old.inputs, old.outputs):
            self._drifted[metadata.urn] = old.inputs or {}

    def _diagnose(self, event: DiagnosticEvent) -> None:
        message = COLOUR.sub("", event.message).strip()
        if not message:
            return
        name = name_of(event.urn or "")
        if event.severity == "error" and message not in GENERIC_ERRORS:
            self.failures.add("" if f"::{ROOT_TYPE}::" in (event.urn or "") else name, message)
        self._on_event(
            StackEvent(
                stack=self.stack,
                kind=EventKind.DIAGNOSTIC,
                urn=event.urn or "",
                name=name,
                message=message,
                severity=event.severity,
            )
        )


def name_of(urn: str) -> str:
    """Take a resource's name from its URN."""
    return urn.rpartition("::")[2]


def _member(metadata: StepEventMetadata) -> str:
    """Take the member of an account or a grant from what is recorded, else from what is asked."""
    for state in (metadata.old, metadata.new):
        if state is None or not state.custom:
            continue  # A component's properties are only what it says of itself.
        for properties in (state.outputs, state.inputs):
            member = (properties or {}).get("member")
            if isinstance(member, str) and member != UNKNOWN_WIRE:
                return member
    return ""


def _shown(state: StepEventStateMetadata | None) -> dict[str, Json]:
    """Give a resource's inputs as reports may show them; the engine's own marks are left out."""
    inputs = cast("Mapping[str, Json]", (state.inputs if state is not None else None) or {})
    return {name: _maskable(value) for name, value in inputs.items() if not name.startswith("__")}


def _maskable(value: Json) -> Json:
    """Mark unknown values, and mask secret ones, however deep."""
    if value == UNKNOWN_WIRE:
        return dict(UNKNOWN_OUTPUT)
    if isinstance(value, dict):
        if SECRET_SIGNATURE in value:
            return MASKED_SECRET
        return {key: _maskable(item) for key, item in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [_maskable(item) for item in value]
    return value


def _predicted(value: Json) -> Json:
    """Turn an event's output into a predicted value; unknown and secret ones are unknown."""
    if value == UNKNOWN_WIRE:
        return dict(UNKNOWN_OUTPUT)
    if isinstance(value, dict):
        if SECRET_SIGNATURE in value:
            return dict(UNKNOWN_OUTPUT)
        return {key: _predicted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_predicted(item) for item in value]
    return value
