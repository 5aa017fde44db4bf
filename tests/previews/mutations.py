"""What people and accidents do to a system: changes of its file and sources, and drift.

Each takes the system and a random source; it returns what it did, or None where there is nothing
to do it to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from previews.system import PROJECT, REGION, SERVER, System, link, service

Mutation = Callable[[System, Random], str | None]


def _flow(system: System, random: Random) -> tuple[str, dict[str, Any]]:
    name = random.choice(sorted(system.file["dataflows"]))
    return name, system.file["dataflows"][name]


def _topics(system: System) -> list[dict[str, Any]]:
    return [t for flow in system.file["dataflows"].values() for t in flow["resources"]["topics"]]


def _subscriptions(system: System) -> list[dict[str, Any]]:
    flows = system.file["dataflows"].values()
    return [s for flow in flows for s in flow["resources"]["subscriptions"]]


def _deployment(system: System, name: str) -> dict[str, Any]:
    if name == "director":
        deployment: dict[str, Any] = system.file["service_manager_spec"]["deployment"]
        return deployment
    flows = system.file["dataflows"].values()
    return next(flow["services"][name]["deployment"] for flow in flows if name in flow["services"])


def add_topic(system: System, random: Random) -> str:
    """Add a topic, sometimes with a producer."""
    name, flow = _flow(system, random)
    topic: dict[str, Any] = {"name": f"topic-{random.randrange(10**6)}"}
    if flow["services"] and random.random() < 0.7:
        topic["producer_service"] = link(random.choice(sorted(flow["services"])))
    flow["resources"]["topics"].append(topic)
    return f"add {topic['name']} to {name}"


def remove_topic(system: System, random: Random) -> str | None:
    """Remove a topic that nothing is subscribed to."""
    used = {subscription["topic"] for subscription in _subscriptions(system)}
    free = [topic for topic in _topics(system) if topic["name"] not in used]
    if not free:
        return None
    chosen = random.choice(free)
    for flow in system.file["dataflows"].values():
        if chosen in flow["resources"]["topics"]:
            flow["resources"]["topics"].remove(chosen)
    return f"remove {chosen['name']}"


def rename_topic(system: System, random: Random) -> str | None:
    """Rename a topic, and what refers to it."""
    if not _topics(system):
        return None
    chosen = random.choice(_topics(system))
    before, after = chosen["name"], f"topic-{random.randrange(10**6)}"
    chosen["name"] = after
    for subscription in _subscriptions(system):
        if subscription["topic"] == before:
            subscription["topic"] = after
    return f"rename {before} to {after}"


def add_subscription(system: System, random: Random) -> str | None:
    """Subscribe to some topic; billing may read what orders writes, or there were a circle."""
    name, flow = _flow(system, random)
    topics = _topics(system) if name == "billing" else flow["resources"]["topics"]
    if not topics:
        return None
    subscription = {
        "name": f"sub-{random.randrange(10**6)}",
        "topic": random.choice(topics)["name"],
    }
    flow["resources"]["subscriptions"].append(subscription)
    return f"add {subscription['name']} to {name}"


def change_subscription(system: System, random: Random) -> str | None:
    """Change what can be changed in place, or what makes a new one."""
    if not _subscriptions(system):
        return None
    chosen = random.choice(_subscriptions(system))
    if random.random() < 0.5:
        chosen["ack_deadline_seconds"] = random.randrange(10, 600)
    else:
        chosen["filter"] = f'attributes.kind = "{random.randrange(100)}"'
    return f"change {chosen['name']}"


def remove_subscription(system: System, random: Random) -> str | None:
    """Remove a subscription."""
    _, flow = _flow(system, random)
    if not flow["resources"]["subscriptions"]:
        return None
    gone = flow["resources"]["subscriptions"].pop()
    return f"remove {gone['name']}"


def add_service(system: System, random: Random) -> str:
    """Add a service that may call the director."""
    name, flow = _flow(system, random)
    added = f"service-{random.randrange(10**6)}"
    flow["services"][added] = {**service(added), "dependencies": ["director"]}
    return f"add {added} to {name}"


def remove_service(system: System, random: Random) -> str | None:
    """Remove a service, and every mention of it."""
    _, flow = _flow(system, random)
    if len(flow["services"]) < 2:
        return None
    gone = random.choice(sorted(flow["services"]))
    del flow["services"][gone]
    for other in system.file["dataflows"].values():
        for user in other["services"].values():
            user["dependencies"] = [d for d in user.get("dependencies", []) if d != gone]
    for topic in _topics(system):
        if topic.get("producer_service", {}).get("name") == gone:
            del topic["producer_service"]
    for subscription in _subscriptions(system):
        if subscription.get("consumer_service", {}).get("name") == gone:
            del subscription["consumer_service"]
    return f"remove {gone}"


def change_source(system: System, random: Random) -> str:
    """Change a service's source."""
    chosen = random.choice(system.services())
    (system.sources / chosen / "main.py").write_text(f"{SERVER}# {random.random()}\n")
    return f"change the source of {chosen}"


def change_deployment(system: System, random: Random) -> str:
    """Change an environment variable or the size of a service, or of the director."""
    chosen = random.choice(system.services())
    deployment = _deployment(system, chosen)
    if random.random() < 0.7:
        deployment["environment_vars"] = {"VALUE": str(random.randrange(1000))}
    else:
        deployment["cpu"] = str(random.choice([1, 2, 4]))
    return f"change the deployment of {chosen}"


def change_account(system: System, random: Random) -> str | None:
    """Let a service run as another account; the old one goes, if nobody else has it."""
    _, flow = _flow(system, random)
    if not flow["services"]:
        return None
    chosen = random.choice(sorted(flow["services"]))
    flow["services"][chosen]["service_account"] = f"account-{random.randrange(10**6)}"
    return f"change the account of {chosen}"


def change_labels(system: System, random: Random) -> str | None:
    """Change the labels of one topic, or of everything."""
    labels = {"team": f"team-{random.randrange(100)}"}
    if random.random() < 0.3:
        system.file["labels"] = labels
        return "label everything"
    if not _topics(system):
        return None
    chosen = random.choice(_topics(system))
    chosen["labels"] = labels
    return f"label {chosen['name']}"


def lose_topic(system: System, random: Random) -> str | None:
    """Delete a topic in the cloud."""
    return _lose(system, random, "pubsub/v1", f"projects/{PROJECT}/topics", "topics")


def lose_subscription(system: System, random: Random) -> str | None:
    """Delete a subscription in the cloud."""
    path = f"projects/{PROJECT}/subscriptions"
    return _lose(system, random, "pubsub/v1", path, "subscriptions")


def lose_service(system: System, random: Random) -> str | None:
    """Delete a service in the cloud, maybe the director."""
    path = f"projects/{PROJECT}/locations/{REGION}/services"
    return _lose(system, random, "run/v2", path, "services")


def lose_account(system: System, random: Random) -> str | None:
    """Delete a service account in the cloud; its grants go with it."""
    return _lose(system, random, "iam/v1", f"projects/{PROJECT}/serviceAccounts", "accounts")


def relabel_topic(system: System, random: Random) -> str | None:
    """Change a topic's labels in the cloud."""
    found = system.call("GET", f"pubsub/v1/projects/{PROJECT}/topics").get("topics", [])
    if not found:
        return None
    chosen = random.choice(sorted(topic["name"] for topic in found))
    body = {"topic": {"labels": {"by-hand": "yes"}}, "updateMask": "labels"}
    system.call("PATCH", f"pubsub/v1/{chosen}", body)
    return f"drift: relabel {chosen}"


def empty_policy(system: System, random: Random) -> str | None:
    """Take every grant on a topic away in the cloud."""
    found = system.call("GET", f"pubsub/v1/projects/{PROJECT}/topics").get("topics", [])
    if not found:
        return None
    chosen = random.choice(sorted(topic["name"] for topic in found))
    system.call("POST", f"pubsub/v1/{chosen}:setIamPolicy", {"policy": {"bindings": []}})
    return f"drift: empty the policy of {chosen}"


def _lose(system: System, random: Random, api: str, path: str, key: str) -> str | None:
    found = system.call("GET", f"{api}/{path}").get(key, [])
    if not found:
        return None
    chosen = random.choice(sorted(item["name"] for item in found))
    system.call("DELETE", f"{api}/{chosen}")
    return f"drift: delete {chosen}"


CHANGES: Mapping[str, Mutation] = {
    function.__name__: function
    for function in (
        add_topic,
        remove_topic,
        rename_topic,
        add_subscription,
        change_subscription,
        remove_subscription,
        add_service,
        remove_service,
        change_source,
        change_deployment,
        change_account,
        change_labels,
    )
}
DRIFT: Mapping[str, Mutation] = {
    function.__name__: function
    for function in (
        lose_topic,
        lose_subscription,
        lose_service,
        lose_account,
        relabel_topic,
        empty_policy,
    )
}
