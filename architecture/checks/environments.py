"""What an environment has otherwise must be there, and must give a right architecture as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from architecture.checks.problem import Problem, Rule
from architecture.environments import EnvironmentOverrides
from architecture.findings import shown
from architecture.links import Where, placed_resources
from architecture.misspelling import suggestion
from architecture.model import Architecture, Resource, Resources
from architecture.overrides import ROOT, overridden, overrides_of, resource_names


def environments_name_what_is_there(arch: Architecture) -> Iterator[Problem]:
    """Services and resources of an environment are ones of the file, and keep their names."""
    services = {service.name: service.deployment for service in arch.all_services()}
    resources = _called(arch) if arch.deployment_environments else {}
    for environment, overrides in arch.deployment_environments.items():
        root: Where = (ROOT, environment)
        for name in overrides.services:
            place = (*root, "services", name)
            if name not in services:
                yield _unknown("service", name, services, place)
            elif services[name] is None:
                message = f"the service {shown(name)} has no `deployment` to change"
                yield Problem("override-undeployed", place, message, "add one to the service")
        for kind, name, changes in _changed(overrides):
            place = (*root, "resources", kind, name)
            yield from _judge(kind, name, resources[kind], place)
            if "name" in changes.model_fields_set:
                message = f"an environment cannot rename {shown(name)}"
                fix = "remove it; test runs get names of their own with --suffix"
                yield Problem("override-renames", (*place, "name"), message, fix)


def environments_fit(
    arch: Architecture, rules: Sequence[Rule], found: Iterable[Problem]
) -> Iterator[Problem]:
    """Yield what the rules find in single environments only, where the environment says it.

    Args:
        arch: the architecture.
        rules: what every environment has to keep to.
        found: what they have found in the rest of the file.
    """
    known = {(problem.rule, problem.where) for problem in found}
    for environment in arch.deployment_environments:
        written = {item.replaces: item.written for item in overrides_of(arch, environment)}
        changed = overridden(arch, environment)
        for rule in rules:
            for problem in rule(changed):
                where = _written(problem.where, written)
                if known.isdisjoint({(problem.rule, problem.where), (problem.rule, where)}):
                    message = f"in environment {shown(environment)}: {problem.message}"
                    yield replace(problem, where=where, message=message)


def _written(where: Where, written: dict[Where, Where]) -> Where:
    """Return where an environment says what is found at a place; else the place itself."""
    for length in range(len(where), 0, -1):
        if place := written.get(where[:length]):
            return place + where[length:]
    return where


def _changed(overrides: EnvironmentOverrides) -> Iterator[tuple[str, str, Resource]]:
    for kind in Resources.model_fields:
        changes: dict[str, Resource] = getattr(overrides.resources, kind)
        for name, change in changes.items():
            yield kind, name, change


def _called(arch: Architecture) -> dict[str, Counter[str]]:
    """Return how often each kind has something that an environment can call by a name."""
    called: dict[str, Counter[str]] = {kind: Counter() for kind in Resources.model_fields}
    for _, _, kind, resource in placed_resources(arch):
        called[kind].update(resource_names(resource))
    return called


def _judge(kind: str, name: str, called: Counter[str], place: Where) -> Iterator[Problem]:
    thing = kind.removesuffix("s").replace("_", " ")
    if name not in called:
        yield _unknown(thing, name, called, place)
    elif called[name] > 1:
        message = f"{called[name]} {thing}s are called {shown(name)}"
        fix = f"write what it is in, too: `{_whole_name(name, called)}`"
        yield Problem("override-ambiguous", place, message, fix)


def _whole_name(name: str, called: Counter[str]) -> str:
    return next(whole for whole in sorted(called) if whole.endswith(f".{name}"))


def _unknown(thing: str, name: str, known: Iterable[str], place: Where) -> Problem:
    message = f"there is no {thing} {shown(name)}"
    return Problem("override-unknown", place, message, suggestion(name, tuple(known)))
