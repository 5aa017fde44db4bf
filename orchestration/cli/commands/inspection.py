"""Commands that only look: at an environment, its runs, and this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import (
    AsJson,
    DatabaseUrl,
    Debug,
    EnvironmentName,
)


def status(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what an environment holds, its last run, and what is running."""
    from orchestration.cli.reporting import show_status

    with reported(as_json=as_json, debug=debug):
        show_status(env, as_json=as_json)


def drift(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what is not as the last run left it; exits 10 when anything is. Changes nothing."""
    from orchestration.cli.drifting import show_drift

    with reported(as_json=as_json, debug=debug):
        has_drifted = show_drift(env, as_json=as_json)
    if has_drifted:
        raise typer.Exit(10)


def list_runs(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """List an environment's runs, the newest first, and which one is live."""
    from orchestration.cli.history import show_runs

    with reported(as_json=as_json, debug=debug):
        show_runs(env, as_json=as_json)


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `runs` lists it.")],
    written_as: Annotated[
        str | None,
        typer.Option("--format", metavar="json|html", help="By default what --out ends in."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write it to.")
    ] = None,
    database_url: DatabaseUrl = None,
    debug: Debug = False,
) -> None:
    """Write what a run did: its phases, stacks, grants, journal and end."""
    from orchestration.cli.run_report import write_report

    with reported(debug=debug):
        write_report(run, written_as=written_as, out=out, database=database_url)


def doctor(
    env: Annotated[str | None, typer.Option("--env", help="Look at this environment only.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what this machine has of what is needed, what is missing, and what to do.

    Exits 3 when something is missing that a rehearsal needs.
    """
    from orchestration.cli.doctor import run_doctor

    with reported(as_json=as_json, debug=debug):
        has_problems = run_doctor(env, as_json=as_json)
    if has_problems:
        raise typer.Exit(3)
