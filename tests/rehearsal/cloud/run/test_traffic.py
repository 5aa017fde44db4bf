"""Traffic by revision: splits, and the way back to an earlier revision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.run.traffic import LATEST, TrafficSplit, checked_traffic, routes_of

NAMED = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"


def test_of_a_hundred_requests_each_revision_gets_its_share() -> None:
    """Requests are spread evenly, not in blocks."""
    split = TrafficSplit({"a": 70, "b": 30})
    chosen = [split.next() for _ in range(100)]
    assert Counter(chosen) == {"a": 70, "b": 30}
    assert set(chosen[:4]) == {"a", "b"}
    assert TrafficSplit({}).next() is None


def test_shares_name_revisions_in_full() -> None:
    """The latest and a named revision may be one; what has no share does not serve."""
    traffic = checked_traffic(
        [{"percent": 60}, {"revision": "s-2", "percent": 40}, {"revision": "s-1", "tag": "old"}],
        "s",
        lambda _: True,
    )
    assert [target["type"] for target in traffic] == [LATEST, NAMED, NAMED]
    one = routes_of(traffic, "services/s/revisions/s-2")
    assert one.shares == {"services/s/revisions/s-2": 100}
    assert one.tags == {"old": "services/s/revisions/s-1"}
    assert one.revisions == ["services/s/revisions/s-2", "services/s/revisions/s-1"]
    assert routes_of(traffic, "services/s/revisions/s-3").shares == {
        "services/s/revisions/s-3": 60,
        "services/s/revisions/s-2": 40,
    }


@pytest.mark.parametrize(
    ("traffic", "code"),
    [
        ([{"percent": 99}], 400),
        ([{"percent": 150}, {"percent": -50}], 400),
        ([{"revision": "gone", "percent": 100}], 404),
        ([{"type": LATEST, "revision": "s-1", "percent": 100}], 400),
        ([{"percent": 100, "tag": "Blue"}], 400),
        ([{"percent": 100, "tag": "b" * 60}], 400),
        ([{"percent": 50, "tag": "blue"}, {"percent": 50, "tag": "blue"}], 400),
    ],
)
def test_impossible_targets_are_refused(traffic: list[dict[str, Any]], code: int) -> None:
    """Percentages sum to 100, revisions exist, tags are unique and fit into a host name."""
    with pytest.raises(ApiError) as refused:
        checked_traffic(traffic, "worker", lambda revision: revision != "gone")
    assert refused.value.code == code


def test_traffic_is_split_and_goes_back_to_an_earlier_revision(
    run: Any, echo: str, is_alive: Any, wait_until: Callable[..., None]
) -> None:
    """A rollback by traffic starts the old revision again and makes no new one."""
    first = run.create("worker", run.template(echo))["response"]
    changed = run.template(echo, env=[{"name": "X", "value": "2"}])
    second = run.patch("worker", changed)["response"]
    old, new = (one["latestReadyRevision"].rpartition("/")[2] for one in (first, second))

    def shift(*targets: dict[str, Any]) -> Any:
        body = changed | {"traffic": list(targets)}
        service = run.patch("worker", body)["response"]
        assert service["traffic"] == service["trafficStatuses"]
        return service

    half = shift({"percent": 50}, {"type": NAMED, "revision": old, "percent": 50})
    assert half["latestReadyRevision"] == second["latestReadyRevision"]
    seen = [run.environment(half["uri"]) for _ in range(10)]
    assert Counter(one["K_REVISION"] for one in seen) == {old: 5, new: 5}
    back = shift({"type": NAMED, "revision": old, "percent": 100})
    assert {run.environment(back["uri"])["K_REVISION"] for _ in range(4)} == {old}
    new_pid = next(one["PID"] for one in seen if one["K_REVISION"] == new)
    wait_until(lambda: not is_alive(new_pid))
    assert run.get("worker")["latestCreatedRevision"].endswith(new)


def test_a_new_revision_waits_while_traffic_is_pinned(run: Any, echo: str) -> None:
    """It is made and proves ready, but the pinned one goes on serving until traffic shifts."""
    first = run.create("worker", run.template(echo))["response"]
    old = first["latestReadyRevision"].rpartition("/")[2]
    pinned = {"traffic": [{"type": NAMED, "revision": old, "percent": 100}]}
    changed = run.template(echo, env=[{"name": "X", "value": "2"}]) | pinned
    second = run.patch("worker", changed)["response"]
    assert second["latestReadyRevision"] != first["latestReadyRevision"]
    assert run.environment(second["uri"])["K_REVISION"] == old
    latest = run.patch("worker", changed | {"traffic": [{"type": LATEST, "percent": 100}]})
    newest = latest["response"]["latestReadyRevision"].rpartition("/")[2]
    assert run.environment(second["uri"])["K_REVISION"] == newest


def test_pinned_traffic_survives_a_restart(
    start_cloud: Callable[..., Any], run_on: Any, echo_source: str
) -> None:
    """A restarted cloud serves the revision that had the traffic, not the latest."""
    with start_cloud() as cloud:
        cloud.enable("run", "artifactregistry", "pubsub")
        run = run_on(cloud)
        image = run.push({"main.py": echo_source})
        first = run.create("worker", run.template(image))["response"]
        old = first["latestReadyRevision"].rpartition("/")[2]
        pinned = {"traffic": [{"type": NAMED, "revision": old, "percent": 100}]}
        changed = run.template(image, env=[{"name": "X", "value": "2"}]) | pinned
        uri = run.patch("worker", changed)["response"]["uri"]
    with start_cloud() as cloud:
        assert run_on(cloud).environment(uri)["K_REVISION"] == old


def test_a_tag_leads_to_its_revision_alone(run: Any, echo: str, expect: Callable[..., Any]) -> None:
    """A new revision without traffic is tried on a URL of its own, with a token for the service."""
    first = run.create("worker", run.template(echo))["response"]
    old = first["latestReadyRevision"].rpartition("/")[2]
    changed = run.template(echo, env=[{"name": "X", "value": "2"}])
    blue = {"type": LATEST, "tag": "blue"}
    traffic = [{"type": NAMED, "revision": old, "percent": 100}, blue]
    service = run.patch("worker", changed | {"traffic": traffic})["response"]
    assert service["traffic"] == traffic
    named, tagged = service["trafficStatuses"]
    assert named == traffic[0]
    assert tagged == blue | {"uri": tagged["uri"]}
    assert service["urls"] == [service["uri"]] != [tagged["uri"]]
    new = service["latestReadyRevision"].rpartition("/")[2]
    headers = run.token(service["uri"])
    seen = expect(httpx.get(tagged["uri"], headers=headers, trust_env=False))
    assert seen["K_REVISION"] == new
    assert run.environment(service["uri"])["K_REVISION"] == old
    meant_for_tag = run.token(tagged["uri"])
    assert httpx.get(tagged["uri"], headers=meant_for_tag, trust_env=False).status_code == 401
    assert httpx.get(tagged["uri"], trust_env=False).status_code == 403
    run.patch("worker", changed)
    with pytest.raises(httpx.ConnectError):
        httpx.get(tagged["uri"], headers=headers, trust_env=False)


def test_tags_keep_their_urls_over_a_restart(
    start_cloud: Callable[..., Any], run_on: Any, echo_source: str
) -> None:
    """A revision that only a tag reaches starts with its first request, where it was before."""
    with start_cloud() as cloud:
        cloud.enable("run", "artifactregistry", "pubsub")
        run = run_on(cloud)
        image = run.push({"main.py": echo_source})
        first = run.create("worker", run.template(image))["response"]
        old = first["latestReadyRevision"].rpartition("/")[2]
        traffic = [{"percent": 100}, {"type": NAMED, "revision": old, "tag": "old"}]
        changed = run.template(image, env=[{"name": "X", "value": "2"}]) | {"traffic": traffic}
        service = run.patch("worker", changed)["response"]
        uri = service["trafficStatuses"][1]["uri"]
    with start_cloud() as cloud:
        run = run_on(cloud)
        assert run.get("worker")["trafficStatuses"] == service["trafficStatuses"]
        answer = httpx.get(uri, headers=run.token(service["uri"]), trust_env=False, timeout=20)
        assert answer.json()["K_REVISION"] == old
