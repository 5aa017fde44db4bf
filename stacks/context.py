"""What a stack is for: its name's parts, its configuration, the architecture it declares.

Everything that can be wrong with those is found here, before any resource is declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import pulumi

from architecture import names
from architecture.findings import InvalidArchitecture
from architecture.grants import Grant, StatePlace, plan_grants
from architecture.loading import load
from architecture.model import Architecture, Dataflow, Layer, Resource
from architecture.recorded import parse_recorded, with_recorded
from stacks.errors import StackError
from stacks.upstream import Upstream, upstream_of

LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
# The layers that exist once per dataflow, which is the third part of the stack's name.
PER_DATAFLOW: Final[frozenset[Layer]] = frozenset({"dataflow", "services"})


@dataclass(frozen=True, slots=True)
class StackName:
    """The parts of a stack's name, `<environment>.<layer>[.<dataflow>]`."""

    environment: str
    layer: Layer
    dataflow: str | None

    @classmethod
    def parse(cls, name: str) -> StackName:
        """Read a stack's name.

        Raises:
            StackError: the name does not say a layer, or a dataflow where it must.
        """
        environment, _, rest = name.partition(".")
        said, _, dataflow = rest.partition(".")
        layer = next((layer for layer in LAYERS if layer == said), None)
        if not environment or layer is None:
            raise StackError(
                f"stack {name!r} names no layer: stacks are named <environment>.<layer>"
                f"[.<dataflow>], with the layers {', '.join(LAYERS)}"
            )
        if (layer in PER_DATAFLOW) != bool(dataflow):
            form = ".<dataflow>" if layer in PER_DATAFLOW else ""
            raise StackError(
                f"stack {name!r}: a {layer} stack is named {environment}.{layer}{form}"
            )
        return cls(environment, layer, dataflow or None)

    def sibling(self, layer: Layer, dataflow: str | None = None) -> str:
        """Return the name of another stack of the same environment."""
        return names.stack_name(self.environment, layer, dataflow)


@dataclass(frozen=True, slots=True)
class StackContext:
    """All that a layer needs to declare itself."""

    name: StackName
    architecture: Architecture
    project: str
    region: str
    registry: str
    contexts: Path | None
    director_environment: Mapping[str, str]
    grants: tuple[Grant, ...]
    upstream: Upstream

    @property
    def dataflow(self) -> Dataflow:
        """The dataflow that the stack is for.

        Raises:
            StackError: the architecture has no such dataflow, or the stack is for none.
        """
        flows = self.architecture.application_dataflows()
        if self.name.dataflow not in flows:
            known = ", ".join(sorted(flows)) or "none"
            raise StackError(
                f"the architecture has no dataflow {self.name.dataflow!r} (it has: {known})"
            )
        return flows[self.name.dataflow]

    @property
    def location(self) -> str:
        """Where data is that says no place of its own."""
        return self.architecture.location or self.region

    def is_protected(self, resource: Resource | None = None) -> bool:
        """Say whether a resource is protected: by its own word, else by the architecture's."""
        own = resource.teardown_protection if resource is not None else None
        return self.architecture.teardown_protection if own is None else own

    def build_context(self, service: str) -> Path:
        """Return the folder that a service's image is built from.

        Raises:
            StackError: the configuration names no folder of build contexts.
        """
        if self.contexts is None:
            raise StackError(
                "set conductor:contexts to the folder that holds one build context per service"
            )
        return self.contexts / service


def read_context() -> StackContext:
    """Read the running stack's context.

    Raises:
        StackError: the stack's name or configuration is wrong, or the architecture is invalid.
    """
    stack = pulumi.get_stack()
    name = StackName.parse(stack)
    config = pulumi.Config("conductor")
    environment = _require(config, "environment")
    if environment != name.environment:
        raise StackError(
            f"stack {stack!r} is configured for environment {environment!r} "
            "(conductor:environment), but its name says another"
        )
    architecture = _load(_path(_require(config, "architecture")))
    if recorded := config.get("overrides"):
        architecture = _with_recorded(architecture, _path(recorded))
    google = pulumi.Config("gcp")
    project = _require(google, "project")
    if project != architecture.project_id:
        raise StackError(
            f"gcp:project is {project!r}, but the architecture is for project "
            f"{architecture.project_id!r}; hydrate it for the project it shall go to"
        )
    region = _require(google, "region")
    contexts = config.get("contexts")
    plan = plan_grants(
        architecture, deployer=config.get("deployer"), state=_state(_texts(config, "state"))
    )
    return StackContext(
        name=name,
        architecture=architecture,
        project=project,
        region=region,
        registry=config.get("registry") or f"{region}-docker.pkg.dev",
        contexts=_path(contexts) if contexts else None,
        director_environment=_texts(config, "directorEnvironment"),
        grants=tuple(plan.for_layer(name.layer, name.dataflow)),
        upstream=upstream_of(pulumi.get_project()),
    )


def _require(config: pulumi.Config, key: str) -> str:
    value = config.get(key)
    if not value:
        raise StackError(
            f"stack {pulumi.get_stack()!r} has no configuration {config.name}:{key}; "
            f"set it with `pulumi config set {config.name}:{key} …`"
        )
    return value


def _texts(config: pulumi.Config, key: str) -> dict[str, str]:
    value = config.get_object(key) or {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise StackError(f"{config.name}:{key} must map names to texts")
    return {str(name): text for name, text in value.items()}


def _state(held: Mapping[str, str]) -> StatePlace | None:
    """Read where the stacks' state is, in Google's cloud."""
    if not held:
        return None
    if held.keys() != {"bucket", "key"}:
        raise StackError("conductor:state must name a bucket and a key, and nothing else")
    return StatePlace(**held)


def _path(configured: str) -> Path:
    """Resolve a configured path: relative ones are relative to the project's folder."""
    path = Path(configured)
    return path if path.is_absolute() else Path(pulumi.get_root_directory()) / path


def _with_recorded(architecture: Architecture, path: Path) -> Architecture:
    """Lay over it what is recorded above it; there is no file while nothing is."""
    try:
        return with_recorded(architecture, parse_recorded(path.read_bytes()))
    except FileNotFoundError:
        return architecture
    except ValueError as error:
        raise StackError(f"conductor:overrides: {path} cannot be read: {error}") from error


def _load(path: Path) -> Architecture:
    try:
        return load(path).architecture
    except InvalidArchitecture as error:
        raise StackError(f"the architecture is invalid:\n{error}") from error
    except OSError as error:
        raise StackError(f"conductor:architecture: {error}") from error
