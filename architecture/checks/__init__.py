"""The rules of an architecture, one small function each; every one looks at the whole model.

Shapes and keys are judged before, in `architecture.binding`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from architecture.checks import (
    director,
    environments,
    graph,
    naming,
    references,
    safety,
    testing,
    values,
    variables,
)
from architecture.checks.problem import Problem, Rule
from architecture.model import Architecture

__all__ = ["RULES", "Problem", "check"]

RULES: Final[tuple[Rule, ...]] = (
    naming.root_names,
    naming.service_names,
    naming.resource_names,
    naming.variable_names,
    naming.matching_keys,
    references.services_exist,
    references.dependencies_exist,
    references.topics_exist,
    references.datasets_exist,
    references.databases_exist,
    graph.service_order,
    graph.dataflow_order,
    graph.unique_names,
    director.director_topics,
    director.director_links,
    director.director_stands_alone,
    values.durations_fit,
    values.backoffs_are_ordered,
    values.numbers_fit,
    values.sizes_fit,
    values.probe_paths,
    values.pinned_secrets,
    values.policy_roles,
    testing.preflight_commands,
    variables.link_variables,
    safety.reserved_variables,
    safety.reserved_paths,
    safety.public_principals,
    safety.plain_secrets,
    safety.bucket_names,
    safety.locations,
)


def check(architecture: Architecture) -> Iterator[Problem]:
    """Yield everything that any rule finds in the file, and in what environments make of it."""
    found = [problem for rule in RULES for problem in rule(architecture)]
    yield from found
    yield from environments.environments_name_what_is_there(architecture)
    yield from environments.environments_fit(architecture, RULES, found)
