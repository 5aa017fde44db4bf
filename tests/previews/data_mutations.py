"""What people and accidents do to what holds data and to schedules.

As in `mutations`: each takes the system and a random source and says what it did, or None where
there is nothing to do it to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from previews.mutations import Mutation
from previews.system import PROJECT, REGION, System, link

BIGQUERY = f"bigquery/bigquery/v2/projects/{PROJECT}/datasets"
TEXTS = ("device", "customer", "place")
COLUMNS = {**dict.fromkeys(TEXTS, "STRING"), "at": "TIMESTAMP", "loaded_at": "TIMESTAMP"}


def _resources(system: System, random: Random) -> dict[str, Any]:
    name = random.choice(sorted(system.file["dataflows"]))
    found: dict[str, Any] = system.file["dataflows"][name]["resources"]
    return found


def _all(system: System, kind: str) -> list[dict[str, Any]]:
    flows = system.file["dataflows"].values()
    return [item for flow in flows for item in flow["resources"].get(kind, [])]


def _remove(system: System, random: Random, kind: str) -> str | None:
    chosen = random.choice(_all(system, kind) or [None])
    if chosen is None:
        return None
    for flow in system.file["dataflows"].values():
        if chosen in flow["resources"].get(kind, []):
            flow["resources"][kind].remove(chosen)
    return f"remove {chosen['name']}"


def add_bucket(system: System, random: Random) -> str:
    """Add a bucket that a service writes to."""
    flow = system.file["dataflows"][random.choice(["billing", "orders"])]
    bucket = {
        "name": f"bucket-{random.randrange(10**6)}",
        "producers": [link(random.choice(sorted(flow["services"])))],
    }
    flow["resources"].setdefault("gcs_buckets", []).append(bucket)
    return f"add {bucket['name']}"


def change_bucket(system: System, random: Random) -> str | None:
    """Change what can be changed in place, or where it is."""
    chosen = random.choice(_all(system, "gcs_buckets") or [None])
    if chosen is None:
        return None
    match random.randrange(5):
        case 0:
            chosen["versioning_enabled"] = not chosen.get("versioning_enabled", False)
        case 1:
            chosen["storage_class"] = random.choice(["NEARLINE", "COLDLINE"])
        case 2:
            rule = {
                "action": {"type": "Delete"},
                "condition": {"age_in_days": random.randrange(1, 90)},
            }
            chosen["lifecycle_rules"] = random.choice([[rule], []])
        case 3:
            chosen["labels"] = {"team": f"team-{random.randrange(9)}"}
        case _:
            chosen["location"] = random.choice(["EU", "US"])
    return f"change {chosen['name']}"


def remove_bucket(system: System, random: Random) -> str | None:
    """Remove a bucket."""
    return _remove(system, random, "gcs_buckets")


def add_table(system: System, random: Random) -> str:
    """Add a table, its dataset inferred or shared."""
    resources = _resources(system, random)
    table: dict[str, Any] = {
        "name": f"table_{random.randrange(10**6)}",
        "dataset": random.choice(["events", f"set_{random.randrange(10**6)}"]),
    }
    if random.random() < 0.7:
        path = system.folder / "columns.json"
        path.write_text(
            json.dumps([{"name": name, "type": kind} for name, kind in COLUMNS.items()])
        )
        table |= {
            "schema_file": path.name,
            "clustering_fields": random.sample(TEXTS, random.randrange(3)),
        }
    if random.random() < 0.3:
        table["expiration"] = "7d"
    resources.setdefault("bigquery_tables", []).append(table)
    return f"add {table['name']}"


def change_table(system: System, random: Random) -> str | None:
    """Change what can be changed in place, or what makes a new one."""
    chosen = random.choice(_all(system, "bigquery_tables") or [None])
    if chosen is None:
        return None
    match random.randrange(4):
        case 0:
            chosen["description"] = f"number {random.randrange(100)}"
        case 1 if "schema_file" in chosen:
            chosen["clustering_fields"] = random.sample(TEXTS, random.randrange(3))
        case 2 if "schema_file" in chosen:
            chosen["time_partitioning_field"] = random.choice(["at", "loaded_at"])
            chosen["time_partitioning_expiration"] = f"{random.randrange(1, 90)}d"
        case _:
            chosen["labels"] = {"team": f"team-{random.randrange(9)}"}
    return f"change {chosen['name']}"


def remove_table(system: System, random: Random) -> str | None:
    """Remove a table, and its inferred dataset where it was the last."""
    return _remove(system, random, "bigquery_tables")


def add_collection(system: System, random: Random) -> str:
    """Add a database with a collection."""
    resources = _resources(system, random)
    name = f"base-{random.randrange(10**6)}"
    resources.setdefault("firestore_databases", []).append({"name": name})
    resources.setdefault("firestore_collections", []).append({"name": "things", "database": name})
    return f"add {name}"


def add_schedule(system: System, random: Random) -> str:
    """Add a schedule; billing may call what is in orders, or there were a circle."""
    name = random.choice(["billing", "orders"])
    flows = system.file["dataflows"]
    callable_here = sorted({**flows[name]["services"], **flows["orders"]["services"]})
    job = {
        "name": f"job-{random.randrange(10**6)}",
        "schedule": "0 2 * * *",
        "target_service": random.choice([*callable_here, "director"]),
    }
    flows[name]["resources"].setdefault("cloud_scheduler_jobs", []).append(job)
    return f"add {job['name']}"


def change_schedule(system: System, random: Random) -> str | None:
    """Change when a schedule runs, or what it sends."""
    chosen = random.choice(_all(system, "cloud_scheduler_jobs") or [None])
    if chosen is None:
        return None
    key, value = random.choice(
        [
            ("schedule", f"{random.randrange(60)} 3 * * *"),
            ("message_body", f"run {random.randrange(99)}"),
            ("time_zone", "Europe/Berlin"),
        ]
    )
    chosen[key] = value
    return f"change {chosen['name']}"


def remove_schedule(system: System, random: Random) -> str | None:
    """Remove a schedule, and its account where nobody else has it."""
    return _remove(system, random, "cloud_scheduler_jobs")


def lose_bucket(system: System, random: Random) -> str | None:
    """Delete a bucket in the cloud."""
    chosen = random.choice(_all(system, "gcs_buckets") or [None])
    if chosen is None or not system.exists(path := f"storage/storage/v1/b/{chosen['name']}"):
        return None
    system.delete(path)
    return f"drift: delete {path}"


def relabel_bucket(system: System, random: Random) -> str | None:
    """Change a bucket's labels in the cloud."""
    chosen = random.choice(_all(system, "gcs_buckets") or [None])
    if chosen is None or not system.exists(path := f"storage/storage/v1/b/{chosen['name']}"):
        return None
    system.call("PATCH", path, {"labels": {"by-hand": "yes"}})
    return f"drift: relabel {path}"


def lose_table(system: System, random: Random) -> str | None:
    """Delete a table in the cloud."""
    chosen = random.choice(_all(system, "bigquery_tables") or [None])
    if chosen is None:
        return None
    path = f"{BIGQUERY}/{chosen['dataset']}/tables/{chosen['name']}"
    if not system.exists(path):
        return None
    system.delete(path)
    return f"drift: delete {path}"


def lose_schedule(system: System, random: Random) -> str | None:
    """Delete a schedule in the cloud."""
    chosen = random.choice(_all(system, "cloud_scheduler_jobs") or [None])
    if chosen is None:
        return None
    path = f"cloudscheduler/v1/projects/{PROJECT}/locations/{REGION}/jobs/{chosen['name']}"
    if not system.exists(path):
        return None
    system.delete(path)
    return f"drift: delete {path}"


DATA_CHANGES: Mapping[str, Mutation] = {
    function.__name__: function
    for function in (
        add_bucket,
        change_bucket,
        remove_bucket,
        add_table,
        change_table,
        remove_table,
        add_collection,
        add_schedule,
        change_schedule,
        remove_schedule,
    )
}
DATA_DRIFT: Mapping[str, Mutation] = {
    function.__name__: function
    for function in (lose_bucket, relabel_bucket, lose_table, lose_schedule)
}
