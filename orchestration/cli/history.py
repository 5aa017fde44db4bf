"""`conductor runs`: the runs of an environment and the releases that they made."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from rich.markup import escape

from orchestration.cli.console import output
from orchestration.cli.reporting import new_table, true_status
from orchestration.conductor.records import RELEASE_OPTION, RunRecord, RunStatus, runs
from orchestration.environments import Environment
from orchestration.releases.store import ReleaseStore
from orchestration.settings import Settings


def show_runs(env: str, *, as_json: bool) -> None:
    """Print an environment's runs, the newest first.

    Raises:
        UsageError: there is no such environment.
    """
    environment = Environment(env, Settings.from_environment())
    environment.require_record()
    live = ReleaseStore(environment).current()
    live_id = live.release_id if live else ""
    listed = list(runs(environment.runs_dir))
    if as_json:
        found = [_to_json(run, environment, live_id) for run in listed]
        sys.stdout.write(json.dumps({"runs": found}) + "\n")
        return
    console = output()
    if not listed:
        console.print(f"no run of {env} yet")
        return
    table = new_table("Run", "What", "Status", "Took", "")
    for run in listed:
        note = "live release" if run.run_id == live_id else _reason(run)
        table.add_row(
            run.run_id,
            _kind(run),
            true_status(run, environment).partition(";")[0],
            _took(run),
            escape(note),
        )
    console.print(table)


def _reason(run: RunRecord) -> str:
    """Say why a run did not succeed; of one that was refused there is nothing else to be read."""
    if run.error is None:
        return ""
    is_refused = run.status is RunStatus.REFUSED
    return f"{run.error.code}: {run.error.message}" if is_refused else run.error.code


def _kind(run: RunRecord) -> str:
    if not run.is_rollback:
        return "up"
    return f"rollback to {run.inputs.options[RELEASE_OPTION] or 'nothing'}"


def _took(run: RunRecord) -> str:
    took = (run.ended_at or datetime.now(UTC)) - run.started_at
    return f"{took.total_seconds():.1f} s" if run.ended_at else ""


def _to_json(run: RunRecord, environment: Environment, live_id: str) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "what": _kind(run),
        "status": true_status(run, environment).partition(";")[0],
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "is_live_release": run.run_id == live_id,
        "error": run.error.model_dump() if run.error else None,
    }
