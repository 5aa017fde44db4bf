"""The director's two topics and its subscription must be there, or be left to hydration whole."""

from __future__ import annotations

from collections.abc import Iterator

from architecture import names
from architecture.checks.problem import Problem
from architecture.findings import shown
from architecture.links import Where
from architecture.model import INFRA_SUFFIX, Architecture, Dataflow


def director_topics(arch: Architecture) -> Iterator[Problem]:
    """Both topics are declared in one dataflow, or in none."""
    command, completion = _topics(arch)
    if command and command == completion:
        message = f"{shown(command)} is command topic and completion topic"
        place = ("service_manager_spec", "completion_topic", "name")
        yield Problem("director-topics", place, message, "give each its own name")
        return
    if arch.director_dataflow is not None:
        return
    added = f"{arch.director.name}{INFRA_SUFFIX}"
    for where, flow in _flows(arch):
        declared = {topic.name for topic in flow.resources.topics} & {command, completion}
        if declared:
            (present,) = declared
            missing = completion if present == command else command
            message = f"the director's topic {shown(present)} is here without {shown(missing)}"
            fix = "declare both in one dataflow, or neither: they are added then"
            yield Problem("director-topics-missing", (*where, "resources"), message, fix)
        elif where[-1] == added:
            message = f"the dataflow {shown(added)} lacks the director's topics"
            fix = f"declare {shown(command)} and {shown(completion)} in it, or remove it"
            yield Problem("director-topics-missing", where, message, fix)


def director_links(arch: Architecture) -> Iterator[Problem]:
    """In its dataflow, the director reads commands and may write completions."""
    infra = arch.director_dataflow
    if infra is None:
        return
    where: Where = ("dataflows", infra, "resources")
    director = arch.director.name
    command, completion = _topics(arch)
    resources = arch.dataflows[infra].resources
    if not any(names.is_command_subscription(arch, sub) for sub in resources.subscriptions):
        message = f"the director has no subscription on its topic {shown(command)}"
        fix = f"add one with `consumer_service` {shown(director)}"
        yield Problem("director-topics-missing", (*where, "subscriptions"), message, fix)
    for index, topic in enumerate(resources.topics):
        producer = topic.producer_service
        if topic.name == completion and (producer is None or producer.name != director):
            message = f"the director may not write to its topic {shown(completion)}"
            fix = f"set its `producer_service` to {shown(director)}"
            yield Problem("director-topics-missing", (*where, "topics", index), message, fix)


def director_stands_alone(arch: Architecture) -> Iterator[Problem]:
    """The director's dataflow has no services: it has no stack that could deploy them."""
    infra = arch.director_dataflow
    services = arch.dataflows[infra].services if infra is not None else ()
    if services:
        message = f"the director's dataflow has services: {', '.join(map(shown, services))}"
        where: Where = ("dataflows", str(infra), "services")
        fix = "move them to a dataflow of their own"
        yield Problem("director-dataflow", where, message, fix)


def _topics(arch: Architecture) -> tuple[str, str]:
    return arch.director.command_topic.name, arch.director.completion_topic.name


def _flows(arch: Architecture) -> Iterator[tuple[Where, Dataflow]]:
    for name, flow in arch.dataflows.items():
        yield ("dataflows", name), flow
