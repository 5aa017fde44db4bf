"""What a run left: the table at the end of `up`, and `conductor status`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.cli.console import output
from orchestration.conductor.records import UNDONE, RunRecord, RunStatus, last_run, runs
from orchestration.environments import Environment, EnvironmentRecord, TargetName
from orchestration.releases.store import ReleaseStore
from orchestration.settings import Settings
from orchestration.targets.local import LocalCloudView, running_cloud
from orchestration.wording import counted


def show_run(console: Console, record: RunRecord, environment: Environment) -> None:
    """Print what a finished run deployed, how long it took, and how to stop it."""
    state = record.state
    console.print()
    services = new_table("Service", "URL", "Image")
    images = dict(state.images.images if state.images else {})
    if state.director is not None and state.plan is not None:
        images[state.plan.director] = state.director.image
    for name, url in sorted(state.urls.items()):
        services.add_row(name, url, _short(images.get(name, "")))
    for table in (services, _resources(record)):
        console.print(table)
        console.print()
    if state.grants:
        console.print(_grants(record))
        console.print()
        console.print(_how_tested(record), style="dim")
        console.print()
    console.print(_phases(record))
    console.print()
    console.print(_stacks_line(record))
    cloud = running_cloud(environment)
    if cloud is not None:
        console.print(
            f"still running: the local cloud of {environment.name} (pid {cloud.pid},"
            f" {cloud.base_url}) with {counted(len(cloud.services), 'service')};"
            f" stop it with `conductor cloud stop --env {environment.name}`"
            + (" or `make stop`" if environment.name == "local" else "")
        )


def new_table(*columns: str) -> Table:
    """Make a table without lines, as all of ours are."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _resources(record: RunRecord) -> Table:
    table = new_table("Kind", "Name")
    director = record.state.director
    for outcome in (*((director,) if director else ()), *record.state.dataflows):
        for topic in outcome.topics:
            table.add_row("topic", topic)
        for subscription in outcome.subscriptions:
            table.add_row("subscription", subscription)
    if record.state.accounts is not None:
        for email in sorted(record.state.accounts.accounts.values()):
            table.add_row("service account", email)
    return table


def _grants(record: RunRecord) -> Table:
    table = new_table("Role", "On", "For", "Effective after")
    # Accounts of the project are listed in full above; here their short names read better.
    domain = ".iam.gserviceaccount.com"
    own = f"@{record.state.plan.project_id}{domain}" if record.state.plan else domain
    for grant in record.state.grants:
        table.add_row(
            grant.role.rpartition("roles/")[2],
            grant.resource.removesuffix(own),
            grant.member.partition(":")[2].removesuffix(own),
            f"{grant.delay_s:.1f} s",
        )
    return table


def _how_tested(record: RunRecord) -> str:
    ways = Counter(grant.tested for grant in record.state.grants)
    return "how grants were tested: " + "; ".join(f"{n} by {way}" for way, n in ways.most_common())


def _phases(record: RunRecord) -> Table:
    table = new_table("Phase", "Took", "")
    for phase in record.phases:
        table.add_row(f"{phase.phase} {phase.title}", f"{phase.duration_s:.1f} s", phase.summary)
    total = (record.ended_at or datetime.now(UTC)) - record.started_at
    table.add_row("[bold]all[/]", f"[bold]{total.total_seconds():.1f} s[/]", "")
    return table


def _stacks_line(record: RunRecord) -> str:
    stacks = record.state.stacks
    changed = sum(outcome.changed for outcome in stacks)
    return f"run {record.run_id}: {counted(changed, 'change')} in {counted(len(stacks), 'stack')}"


def _short(reference: str) -> str:
    """Cut an image reference to its name and the beginning of its digest."""
    name, _, digest = reference.rpartition("@sha256:")
    return f"{name.rpartition('/')[2]}@{digest[:12]}" if digest else ""


def show_status(env: str, *, as_json: bool) -> None:
    """Print an environment's record, last run and what runs.

    Raises:
        UsageError: there is no such environment.
    """
    environment = Environment(env, Settings.from_environment())
    held = environment.require_record()
    run = last_run(environment.runs_dir)
    cloud = running_cloud(environment)
    urls = dict(_urls(environment, run))
    # What a plan has moved since answers elsewhere than the run has said.
    urls |= {s.name: s.url for s in (cloud.services if cloud else ()) if s.name in urls}
    if as_json:
        sys.stdout.write(json.dumps(_status_json(environment, held, run, urls, cloud)) + "\n")
        return
    console = output()
    console.print(
        f"environment [bold]{env}[/]: architecture {held.architecture_name},"
        f" target {held.target.value}, project {held.project_id}"
    )
    if held.expires_at is not None:
        expires = "has expired" if held.has_expired(datetime.now(UTC)) else "expires"
        console.print(
            f"{expires} at {held.expires_at:%Y-%m-%d %H:%M:%S} UTC; `conductor sweep` takes it down"
        )
    console.print(_run_line(run, environment))
    if held.target is not TargetName.LOCAL:
        for name, url in sorted(urls.items()):
            console.print(f"  {name} at {url}")
        return
    if cloud is None:
        console.print(
            f"local cloud: not running (start it with `conductor cloud start --env {env}`)"
        )
        return
    console.print(f"local cloud: {cloud.base_url} (pid {cloud.pid})")
    states = {service.name: service.state for service in cloud.services}
    for name, url in sorted(urls.items()):
        console.print(f"  {name} at {url}: {states.get(name, 'gone')}")


def _urls(environment: Environment, run: RunRecord | None) -> Mapping[str, str]:
    """Give the URLs of what stands: of the live release, or of a run that is on its way."""
    if run is None or run.status not in {*UNDONE, RunStatus.SUCCEEDED}:
        return run.state.urls if run else {}
    live = ReleaseStore(environment).current()
    return next(
        (
            record.state.urls
            for record in runs(environment.runs_dir)
            if live is not None and record.run_id == live.release_id
        ),
        {},
    )


def _run_line(run: RunRecord | None, environment: Environment) -> str:
    if run is None:
        return "no run yet"
    status = true_status(run, environment)
    ended = f", ended {run.ended_at:%Y-%m-%d %H:%M:%S} UTC" if run.ended_at else ""
    line = f"last run {run.run_id}: {status}{ended}"
    if run.error is not None:
        line += f"\n  error[{run.error.code}]: {run.error.message}"
        line += f"\n  hint: {run.error.hint}" if run.error.hint else ""
    return escape(line)


def true_status(run: RunRecord, environment: Environment) -> str:
    """Say how a run stands: one that says `running` while nobody holds the environment has died."""
    if run.status is RunStatus.RUNNING and not environment.is_held():
        return "died; the next `conductor up` goes on from what it left"
    return run.status.value


def _status_json(
    environment: Environment,
    held: EnvironmentRecord,
    run: RunRecord | None,
    urls: Mapping[str, str],
    cloud: LocalCloudView | None,
) -> dict[str, object]:
    states = {service.name: service.state for service in cloud.services} if cloud else {}
    return {
        "environment": environment.name,
        "target": held.target.value,
        "architecture": held.architecture_name,
        "project_id": held.project_id,
        "expires_at": held.expires_at.isoformat() if held.expires_at else None,
        "run": None
        if run is None
        else {
            "run_id": run.run_id,
            "status": true_status(run, environment).partition(";")[0],
            "started_at": run.started_at.isoformat(),
            "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            "error": run.error.model_dump() if run.error else None,
        },
        "services": [
            {"name": name, "url": url, "state": states.get(name, "gone")}
            for name, url in sorted(urls.items())
        ],
        "cloud": {"running": cloud is not None, **(cloud.described() if cloud else {})},
    }
