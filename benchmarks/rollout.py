"""A full `up` of many services beside the critical path of the latencies injected into it.

    python benchmarks/rollout.py [--dataflows 6] [--services 5] [--runs 1]

deploys 6 dataflows of 5 services each to a local cloud of its own whose grants take Google's
delays in scaled time and whose Cloud Run takes seconds for a service. No product could be faster
than the longest chain of these latencies; everything above it is ours, the machine's included:
the processor time says how much of that is work. Goal: 1.3 times the critical path.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import yaml

from benchmarks.deployment import Project
from rehearsal.cloud.iam.propagation import Delays, Propagation

GOAL: Final = 1.3
PROPAGATION: Final = Propagation.REALISTIC
# A rollout of Cloud Run takes 10 to 30 s; the other calls that make something take a while, too.
ROLLOUT_S: Final = 10.0
CHANGE_S: Final = 0.04
ROLLOUT: Final = "run.projects.locations.services.create"
LATENCIES: Final = {
    "rules": [
        {"match": {"method": ROLLOUT}, "delay": f"{ROLLOUT_S:g}s"},
        {"match": {"method": "*.create"}, "delay": f"{CHANGE_S:g}s"},
        {"match": {"method": "*.setIamPolicy"}, "delay": f"{CHANGE_S:g}s"},
    ]
}
PHASES: Final = {2: "IAM", 4: "images and director", 6: "resource IAM", 7: "services"}
# What the owner of a project may do without any grant is not waited for.
OWNED: Final = "roles/iam.serviceAccountUser"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One `up`: seconds, by phase where it has any."""

    took_s: float
    processor_s: float
    phases_s: Mapping[int, float]
    critical_s: Mapping[int, float]

    @property
    def critical_path_s(self) -> float:
        """The longest chain of injected latencies: phases follow one another."""
        return sum(self.critical_s.values())


def document(dataflows: int, services: int) -> dict[str, object]:
    """Give a file's plain values: chains of services over topics, one link between dataflows."""
    return {
        "name": "rollout",
        "region": "europe-west1",
        "service_manager_spec": {
            "name": "director",
            "service_account": "director-sa",
            "deployment": {"source_path": "services", "buildable_module_path": "director"},
            "command_topic": {"name": "commands"},
            "completion_topic": {"name": "completions"},
        },
        "dataflows": {f"flow-{flow}": _dataflow(flow, services) for flow in range(dataflows)},
    }


def _dataflow(flow: int, services: int) -> dict[str, object]:
    names = [f"svc-{flow}-{number}" for number in range(services)]
    # The first service of each dataflow hears the last one of the first dataflow.
    heard = [f"topic-0-{services - 1}" if flow else None]
    heard += [f"topic-{flow}-{number}" for number in range(services - 1)]
    return {
        "services": {
            name: {
                "service_account": f"{name}-sa",
                "dependencies": ["director"],
                "deployment": {"source_path": "services", "buildable_module_path": name},
                "health_check": {"path": "/health/ready"},
            }
            for name in names
        },
        "resources": {
            "topics": [
                {"name": f"topic-{flow}-{number}", "producer_service": {"name": name}}
                for number, name in enumerate(names)
            ],
            "subscriptions": [
                {"name": f"sub-{name}", "topic": topic, "consumer_service": {"name": name}}
                for name, topic in zip(names, heard, strict=True)
                if topic is not None
            ],
            "gcs_buckets": [{"name": f"rollout-bucket-{flow}", "producers": [{"name": names[0]}]}],
            "bigquery_tables": [
                {
                    "name": "events",
                    "dataset": f"dataset_{flow}",
                    "producers": [{"name": names[-1]}],
                }
            ],
        },
    }


def rolled_out(dataflows: int, services: int) -> Rollout:
    """Bring a system up in a project folder of its own, once."""
    with tempfile.TemporaryDirectory(prefix="conductor-benchmark-") as name:
        folder = Path(name)
        project = Project(folder)
        (folder / "system.yaml").write_text(yaml.safe_dump(document(dataflows, services)))
        (folder / "latencies.yaml").write_text(yaml.safe_dump(LATENCIES))
        local = folder / ".conductor" / "local"
        try:
            project.conductor("cloud", "start", "--propagation", PROPAGATION.value)
            project.conductor("cloud", "faults", "set", "latencies.yaml")
            before_s = _processor_s(local)
            took_s = project.conductor("up", "system.yaml", "--placeholders")
            processor_s = _processor_s(local) - before_s
            return Rollout(took_s, processor_s, _phases(local), dict(_critical(local)))
        finally:
            project.conductor("cloud", "stop")


def _processor_s(local: Path) -> float:
    """Give the processor time of our commands, of the local cloud and of the services it runs."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    cloud = json.loads((local / "cloud" / "cloud.json").read_text())["pid"]
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, fields = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except OSError:
            # It has ended meanwhile.
            continue
        if pid == cloud or int(fields[1]) == cloud:
            # user and system time, of the process and of its children that have ended
            ticks += sum(map(int, fields[11:15]))
    return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def _run_file(local: Path, name: str) -> Path:
    return max((local / "runs").glob(f"*/{name}"))


def _phases(local: Path) -> dict[int, float]:
    record = json.loads(_run_file(local, "run.json").read_text())
    return {phase["phase"]: phase["duration_s"] for phase in record["phases"]}


def _critical(local: Path) -> Iterator[tuple[int, float]]:
    """Give the longest chain of each phase, from the delays that the cloud has drawn.

    In phase 2 accounts come before their grants, in phases 4 and 7 services before their
    invokers; all else of a phase could be done side by side. Only what was waited for counts.
    """
    delays = Delays(PROPAGATION, seed=0)
    paths = _paths(local)
    of_phase: dict[int, list[tuple[str, float]]] = {phase: [] for phase in PHASES}
    accounts_s = 0.0
    for line in _run_file(local, "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] != "grant_effective" or event["role"] == OWNED:
            continue
        kind, _, short = event["resource"].partition(" ")
        path = paths[short, event["role"], event["member"]]
        of_phase[event["phase"]].append((kind, delays.of(path, event["role"], event["member"])))
        if kind == "service-account":
            accounts_s = max(accounts_s, delays.until_account_is_found(short))
    for phase, found in of_phase.items():
        invokers_s = max((delay_s for kind, delay_s in found if kind == "service"), default=0.0)
        others_s = max((delay_s for kind, delay_s in found if kind != "service"), default=0.0)
        if phase in (4, 7):
            yield phase, max(CHANGE_S + others_s, ROLLOUT_S + CHANGE_S + invokers_s)
        else:
            yield phase, CHANGE_S + others_s + (accounts_s + CHANGE_S if phase == 2 else 0.0)  # noqa: PLR2004 - a phase


def _paths(local: Path) -> dict[tuple[str, str, str], str]:
    """Read the full names of the resources that have policies, by short name, role and member."""
    with sqlite3.connect(local / "cloud" / "state.sqlite") as database:
        rows = database.execute("SELECT name, body FROM bodies WHERE kind = 'iam.policies'")
        return {
            (short, role, member): name
            for name, body in rows
            for role, member, _ in json.loads(body)["changes"]
            for short in (name.rpartition("/")[2], ".".join(name.split("/")[-3::2]))
        }


def table(rollouts: Sequence[Rollout]) -> Iterator[str]:
    """Yield the lines of the table: of the fastest run its phases, of all runs the whole."""
    best = min(rollouts, key=lambda rollout: rollout.took_s)
    yield f"{'phase':<24}{'took s':>9}{'injected s':>12}{'ours s':>9}"
    for phase, took_s in best.phases_s.items():
        critical_s = best.critical_s.get(phase, 0.0)
        name = f"{phase} {PHASES.get(phase, '')}".strip()
        yield f"{name:<24}{took_s:>9.1f}{critical_s:>12.1f}{took_s - critical_s:>9.1f}"
    yield ""
    yield f"{'up':<24}{'took s':>9}{'injected s':>12}{'times':>9}{'processor s':>13}"
    for number, run in enumerate(rollouts, start=1):
        yield (
            f"{f'run {number}':<24}{run.took_s:>9.1f}{run.critical_path_s:>12.1f}"
            f"{run.took_s / run.critical_path_s:>9.2f}{run.processor_s:>13.1f}"
        )
    yield f"goal: at most {GOAL} times; {os.cpu_count()} processors"


def main() -> None:
    """Roll out as often as asked for and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataflows", type=int, default=6, help="how many; 6 unless told")
    parser.add_argument("--services", type=int, default=5, help="in each dataflow; 5 unless told")
    parser.add_argument("--runs", type=int, default=1, help="how often; once unless told")
    options = parser.parse_args()
    rollouts = [rolled_out(options.dataflows, options.services) for _ in range(options.runs)]
    sys.stdout.write("\n".join(table(rollouts)) + "\n")


if __name__ == "__main__":
    main()
