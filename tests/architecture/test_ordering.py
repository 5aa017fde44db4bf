"""Dataflows go up in levels: what others need comes first."""

from __future__ import annotations

from graphlib import CycleError
from itertools import pairwise
from pathlib import Path

import pytest

from architecture.loading import loads
from architecture.model import Architecture
from architecture.ordering import find_cycle, levels, resource_levels, service_levels

LAYERED = """\
name: shop
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  web:
    services:
      front: {service_account: front-sa, dependencies: [cart, search, director]}
    resources:
      subscriptions: [{name: sub-web, topic: events}]
  shop:
    services:
      cart: {service_account: cart-sa, dependencies: [stock, price]}
      price: {service_account: price-sa}
  store:
    services:
      stock: {service_account: stock-sa}
  find:
    services:
      search: {service_account: search-sa}
  data:
    resources:
      topics: [{name: events}]
"""


@pytest.fixture
def layered() -> Architecture:
    """Dataflows that depend on each other in three levels."""
    return loads(LAYERED, Path("services.yaml")).architecture


def test_services_go_up_after_those_they_depend_on(layered: Architecture) -> None:
    """Dependencies within a dataflow and on the director order nothing."""
    assert service_levels(layered) == (("find", "store"), ("shop",), ("web",))


def test_resources_go_up_after_those_they_use(layered: Architecture) -> None:
    """A subscription needs its topic, in whatever dataflow that is."""
    assert resource_levels(layered) == (("data", "find", "shop", "store"), ("web",))


def test_schedule_comes_after_the_service_it_calls() -> None:
    """It needs the service's URL, even where its dataflow has no service of its own."""
    text = LAYERED + "      cloud_scheduler_jobs:\n"
    text += "        - {name: nightly, schedule: 0 3 * * *, target_service: cart}\n"
    assert service_levels(loads(text, Path("services.yaml")).architecture) == (
        ("find", "store"),
        ("shop",),
        ("data", "web"),
    )


def test_directors_dataflow_is_in_no_level(hydrated: Architecture) -> None:
    """It has no stack of its own."""
    assert service_levels(hydrated) == (("tracer-flow",),)
    assert resource_levels(hydrated) == (("tracer-flow",),)


def test_cycle_is_found_as_a_path_that_closes() -> None:
    """Each name needs the next."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    path = find_cycle(graph)
    assert path[0] == path[-1]
    assert all(needed in graph[name] for name, needed in pairwise(path))
    with pytest.raises(CycleError):
        levels(graph)


def test_graph_without_cycle_has_none() -> None:
    """Nothing is found where nothing is."""
    assert find_cycle({"a": {"b"}, "b": set()}) == ()
