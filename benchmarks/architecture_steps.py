"""One architecture file of a given size, generated and taken through every step.

`python -m benchmarks.architecture_steps SERVICES` prints what it took as JSON; the table over
several sizes is `benchmarks/architecture.py`'s.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import yaml

from architecture.checks import check
from architecture.grants import plan_grants
from architecture.hydration import hydrate
from architecture.loading import load
from architecture.model import Architecture
from architecture.ordering import resource_levels, service_levels
from architecture.rendering import to_yaml
from architecture.service_resources import ServiceResources

SERVICES_PER_DATAFLOW: Final = 10

T = TypeVar("T")


def document(services: int) -> dict[str, object]:
    """Return a file's plain values: ten services in each dataflow, each linked to its neighbours.

    Ten services have 33 resources of every kind; dataflows read each other's topics and datasets.
    """
    flows = range(max(1, services // SERVICES_PER_DATAFLOW))
    return {
        "name": "benchmark",
        "project_id": "benchmark-project",
        "region": "europe-west1",
        "service_manager_spec": {
            "name": "director",
            "service_account": "director-sa",
            "deployment": {"source_path": "."},
            "command_topic": {"name": "commands"},
            "completion_topic": {"name": "completions"},
        },
        "dataflows": {f"flow-{flow}": _dataflow(flow) for flow in flows},
    }


def _dataflow(flow: int) -> dict[str, object]:
    names = [f"svc-{flow}-{n}" for n in range(SERVICES_PER_DATAFLOW)]
    earlier = max(flow - 1, 0)
    return {
        "services": {name: dict(_service(name, names[:n])) for n, name in enumerate(names)},
        "resources": {
            "topics": [
                {"name": f"topic-{name}", "producer_service": {"name": name}} for name in names
            ],
            "subscriptions": [
                {
                    "name": f"sub-{name}",
                    "topic": f"topic-svc-{earlier}-{n}",
                    "consumer_service": {"name": name, "lookup": {"method": "env"}},
                    "ack_deadline_seconds": 30,
                    "message_retention_duration": "7d",
                }
                for n, name in enumerate(names)
            ],
            "bigquery_tables": [
                {
                    "name": f"table_{n}",
                    "dataset": f"dataset_{flow}",
                    "producers": [{"name": names[n]}],
                    "consumers": [{"name": names[-n - 1], "lookup": {"method": "env"}}],
                }
                for n in range(4)
            ],
            "gcs_buckets": [
                {"name": f"bucket-{flow}-{n}", "producers": [{"name": names[n]}]} for n in range(4)
            ],
            "firestore_databases": [{"name": f"database-{flow}"}],
            "firestore_collections": [
                {
                    "name": "states",
                    "database": f"database-{flow}",
                    "producers": [{"name": names[0]}],
                }
            ],
            "cloud_scheduler_jobs": [
                {"name": f"job-{flow}-{n}", "schedule": "0 3 * * *", "target_service": names[n]}
                for n in range(2)
            ],
        },
    }


def _service(name: str, before: list[str]) -> Iterator[tuple[str, object]]:
    yield "service_account", f"{name}-sa"
    yield "dependencies", ["director", *before[-1:]]
    yield (
        "deployment",
        {
            "source_path": "services",
            "buildable_module_path": name,
            "environment_vars": {"MODE": "fast", "LEVEL": "info"},
            "secret_environment_vars": [
                {"name": "TOKEN", "value_from": "api-token", "version": "1"}
            ],
        },
    )


def measure(services: int) -> dict[str, float]:
    """Take one size through every step; times in seconds, by step."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "services.yaml"
        path.write_text(yaml.safe_dump(document(services), sort_keys=False), encoding="utf-8")
        load_s, loaded = _timed(lambda: load(path))
        arch = loaded.architecture
        hydrate_s, hydrated = _timed(lambda: hydrate(arch, base_dir=path.parent))
        grants_s, _ = _timed(lambda: plan_grants(hydrated))
        # The promise is about the steps up to here.
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        kinds = [flow.resources.each() for flow in hydrated.dataflows.values()]
        return {
            "services": sum(1 for _ in arch.services()),
            "resources": sum(1 for each in kinds for _ in each),
            "file_kb": path.stat().st_size / 1024,
            "load_s": load_s,
            "check_s": _timed(lambda: list(check(arch)))[0],
            "hydrate_s": hydrate_s,
            "grants_s": grants_s,
            "generate_s": _timed(lambda: _generate(hydrated))[0],
            "order_s": _timed(lambda: (service_levels(hydrated), resource_levels(hydrated)))[0],
            "render_s": _timed(lambda: to_yaml(hydrated))[0],
            "peak_mb": peak_mb,
        }


def _generate(arch: Architecture) -> None:
    told = ServiceResources(arch)
    for service in arch.all_services():
        told.content(service.name)
        told.expectations(service.name)


def _timed(step: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = step()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]))))
