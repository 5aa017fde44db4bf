"""What an environment has otherwise than the rest of the file says: `deployment_environments`.

A value replaces the one above it. Mappings of texts (`labels`, `environment_vars`,
`config_templates`) are merged key by key, and secrets by the variable's name. What an environment
does not mention stays. Whether the result is right is the business of `architecture.checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from architecture.environments import EnvironmentOverrides
from architecture.links import Where, placed_resources
from architecture.model import (
    Architecture,
    BigQueryTable,
    FirestoreCollection,
    Model,
    Resource,
    Resources,
    SecretEnvironmentVar,
    Service,
)

ROOT: Final = "deployment_environments"

M = TypeVar("M", bound=Model)
S = TypeVar("S", bound=Service)


@dataclass(frozen=True, slots=True)
class Override:
    """A place of the architecture, and the place in the environment that speaks of it."""

    replaces: Where
    written: Where


def overridden(arch: Architecture, environment: str) -> Architecture:
    """Return the architecture as one environment has it; the environments are no part of it.

    What an environment says of things that there are not is left out: a check reports it.
    """
    overrides = arch.deployment_environments.get(environment, EnvironmentOverrides())
    own = {"services", "resources"}
    root = merged(arch, overrides, overrides.model_fields_set - own)
    flows = {
        name: flow.model_copy(
            update={
                "services": {key: _service(item, overrides) for key, item in flow.services.items()},
                "resources": _resources(flow.resources, overrides),
            }
        )
        for name, flow in arch.dataflows.items()
    }
    director = _service(arch.director, overrides)
    update = {"service_manager_spec": director, "dataflows": flows, ROOT: {}}
    return root.model_copy(update=update)


def overrides_of(arch: Architecture, environment: str) -> Iterator[Override]:
    """Yield where an environment's values are written, and what each one replaces."""
    overrides = arch.deployment_environments.get(environment)
    if overrides is None:
        return
    root: Where = (ROOT, environment)
    for key in overrides.model_fields_set - {"services", "resources"}:
        yield from _leaves(arch, overrides, key, (), root)
    for where, service in _placed_services(arch):
        deployment = overrides.services.get(service.name)
        if deployment is not None and service.deployment is not None:
            place = (*root, "services", service.name)
            for key in deployment.model_fields_set:
                at = (*where, "deployment")
                yield from _leaves(service.deployment, deployment, key, at, place)
    for where, _, kind, resource in placed_resources(arch):
        if (named := _named(overrides, kind, resource)) is not None:
            name, changes = named
            for key in changes.model_fields_set:
                place = (*root, "resources", kind, name)
                yield from _leaves(resource, changes, key, where, place)


def merged(base: M, changes: Model, keys: set[str]) -> M:
    """Return a value with some keys of another one of its kind laid over its own."""
    update = {key: _laid_over(getattr(base, key), getattr(changes, key)) for key in keys}
    return base.model_copy(update=update)


def resource_names(resource: Resource) -> tuple[str, ...]:
    """Return how an environment can call a resource, the unmistakable name first."""
    match resource:
        case BigQueryTable(dataset=container) | FirestoreCollection(database=container):
            return f"{container}.{resource.name}", resource.name
    return (resource.name,)


def _service(service: S, overrides: EnvironmentOverrides) -> S:
    changes = overrides.services.get(service.name)
    if changes is None or service.deployment is None:
        return service
    deployment = merged(service.deployment, changes, changes.model_fields_set)
    return service.model_copy(update={"deployment": deployment})


def _resources(resources: Resources, overrides: EnvironmentOverrides) -> Resources:
    update = {
        kind: tuple(_resource(kind, item, overrides) for item in getattr(resources, kind))
        for kind in overrides.resources.model_fields_set
    }
    return resources.model_copy(update=update)


def _resource(kind: str, resource: Resource, overrides: EnvironmentOverrides) -> Resource:
    named = _named(overrides, kind, resource)
    if named is None:
        return resource
    changes = named[1]
    return merged(resource, changes, changes.model_fields_set - {"name"})


def _named(
    overrides: EnvironmentOverrides, kind: str, resource: Resource
) -> tuple[str, Resource] | None:
    """Return what an environment says of a resource, and by which name."""
    changes: dict[str, Resource] = getattr(overrides.resources, kind)
    for name in resource_names(resource):
        if name in changes:
            return name, changes[name]
    return None


def _laid_over(base: object, change: object) -> object:
    match base, change:
        case dict(), dict():
            return base | change
        case tuple(), (SecretEnvironmentVar(), *_) if isinstance(change, tuple):
            by_name = {secret.name: secret for secret in (*base, *change)}
            return tuple(by_name.values())
    return change


def _leaves(
    base: Model, changes: Model, key: str, replaces: Where, written: Where
) -> Iterator[Override]:
    """Yield one value of an environment; what is merged, entry by entry."""
    match getattr(changes, key):
        case dict() as entries:
            for name in entries:
                yield Override((*replaces, key, name), (*written, key, name))
        case (SecretEnvironmentVar(), *_) as secrets:
            result = merged(base, changes, {key})
            at = {secret.name: index for index, secret in enumerate(getattr(result, key))}
            for index, secret in enumerate(secrets):
                yield Override((*replaces, key, at[secret.name]), (*written, key, index))
        case _:
            yield Override((*replaces, key), (*written, key))


def _placed_services(arch: Architecture) -> Iterator[tuple[Where, Service]]:
    yield ("service_manager_spec",), arch.director
    for flow_name, flow in arch.dataflows.items():
        for key, service in flow.services.items():
            yield ("dataflows", flow_name, "services", key), service
