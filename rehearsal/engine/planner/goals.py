"""What a program asks for: a registration request turned into the state it wants."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pulumi.runtime.proto import alias_pb2, resource_pb2, source_pb2

from rehearsal.engine.errors import DeploymentError
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns, wire

_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNIT_S: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


@dataclass(slots=True)
class Goal:
    """A resource as the program wants it, with the options that only planning needs."""

    state: ResourceState
    delete_before_replace: bool | None = None
    alias_urns: tuple[str, ...] = ()
    providers: dict[str, str] = field(default_factory=dict)

    @property
    def urn(self) -> str:
        """The URN it will have."""
        return self.state.urn


@dataclass(slots=True)
class Registered:
    """What later registrations inherit from a parent."""

    goal: Goal
    old_urn: str = ""


def build(
    request: resource_pb2.RegisterResourceRequest,
    *,
    stack: str,
    project: str,
    root: Path,
    parents: Mapping[str, Registered],
) -> Goal:
    """Turn a request into a goal, inheriting from its parent what it does not say itself.

    Raises:
        DeploymentError: the parent was never registered.
    """
    parent = parent_of(request.parent, parents)
    inputs = wire.decode(request.object)
    state = ResourceState(
        urn=urns.make(stack, project, request.type, request.name, request.parent),
        type=request.type,
        custom=request.custom,
        inputs=inputs,
        parent=request.parent,
        dependencies=list(request.dependencies),
        property_dependencies=_property_dependencies(request, list(inputs)),
        protect=request.protect if request.HasField("protect") else _inherited(parent, "protect"),
        retain_on_delete=request.retainOnDelete
        if request.HasField("retainOnDelete")
        else _inherited(parent, "retain_on_delete"),
        deleted_with=request.deletedWith or (parent.goal.state.deleted_with if parent else ""),
        additional_secret_outputs=list(request.additionalSecretOutputs),
        custom_timeouts=_timeouts(request.customTimeouts),
        import_id=request.importId,
        ignore_changes=list(request.ignoreChanges),
        hide_diffs=list(request.hideDiffs),
        replace_on_changes=list(request.replaceOnChanges),
        source_position=position_text(request.sourcePosition, root),
    )
    return Goal(
        state=state,
        delete_before_replace=request.deleteBeforeReplace
        if request.deleteBeforeReplaceDefined
        else None,
        alias_urns=tuple(_aliases(request, state, stack=stack, project=project, parent=parent)),
        providers={**(parent.goal.providers if parent else {}), **request.providers},
    )


def parent_of(urn: str, parents: Mapping[str, Registered]) -> Registered | None:
    """Look up what a resource inherits from its parent; None when it has none.

    Raises:
        DeploymentError: the parent was never registered.
    """
    parent = parents.get(urn)
    if urn and parent is None:
        raise DeploymentError(f"could not find parent resource {urn}")
    return parent


def seconds(duration: str) -> float:
    """Read a Go duration such as `1h30m` or `500ms`; an empty one is 0.

    Raises:
        DeploymentError: the text is no duration.
    """
    parts = _DURATION_PART.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration:
        raise DeploymentError(f"unable to parse customTimeout value '{duration}'")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


def position_text(position: source_pb2.SourcePosition, root: Path) -> str:
    """Write a source position relative to the project, as the state has it."""
    if not position.uri:
        return ""
    path = Path(position.uri.removeprefix("file://"))
    relative = Path(os.path.relpath(path, root))
    column = f",{position.column}" if position.column else ""
    return f"project:///{relative.as_posix()}#{position.line}{column}"


def _inherited(parent: Registered | None, option: str) -> bool:
    return bool(getattr(parent.goal.state, option)) if parent else False


def _property_dependencies(
    request: resource_pb2.RegisterResourceRequest, keys: Sequence[str]
) -> dict[str, list[str]]:
    if request.propertyDependencies or request.remote:
        return {key: list(item.urns) for key, item in sorted(request.propertyDependencies.items())}
    if not request.dependencies:
        return {}
    return {key: list(request.dependencies) for key in sorted(keys)}


def _timeouts(
    timeouts: resource_pb2.RegisterResourceRequest.CustomTimeouts,
) -> dict[str, float]:
    given = {
        "create": seconds(timeouts.create),
        "update": seconds(timeouts.update),
        "delete": seconds(timeouts.delete),
        "read": seconds(timeouts.read),
    }
    return {name: wire.whole(value) for name, value in given.items() if value}


def _aliases(
    request: resource_pb2.RegisterResourceRequest,
    state: ResourceState,
    *,
    stack: str,
    project: str,
    parent: Registered | None,
) -> list[str]:
    """List the URNs a resource may have had, its own aliases before its parent's."""
    found = list(request.aliasURNs)
    for alias in request.aliases:
        found.extend(_alias_urns(alias, request, stack=stack, project=project, parent=parent))
    if parent and parent.old_urn:
        name = request.name
        old_name, new_name = urns.parse(parent.old_urn).name, urns.parse(request.parent).name
        if name.startswith(new_name):
            name = old_name + name.removeprefix(new_name)
        found.append(urns.make(stack, project, request.type, name, parent.old_urn))
    return [urn for urn in dict.fromkeys(found) if urn != state.urn]


def _alias_urns(
    alias: alias_pb2.Alias,
    request: resource_pb2.RegisterResourceRequest,
    *,
    stack: str,
    project: str,
    parent: Registered | None,
) -> list[str]:
    if alias.WhichOneof("alias") == "urn":
        return [alias.urn]
    spec = alias.spec
    if spec.WhichOneof("parent") == "noParent":
        above = [""]
    elif spec.parentUrn:
        above = [spec.parentUrn]
    else:
        above = [request.parent, *([parent.old_urn] if parent and parent.old_urn else [])]
    return [
        urns.make(
            spec.stack or stack,
            spec.project or project,
            spec.type or request.type,
            spec.name or request.name,
            parent_urn,
        )
        for parent_urn in above
    ]
