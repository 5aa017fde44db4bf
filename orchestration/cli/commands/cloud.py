"""`conductor cloud`: the local cloud of an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import AsJson, Debug, EnvironmentName

app = typer.Typer(help="The local cloud of an environment.", no_args_is_help=True)
faults = typer.Typer(
    help="What goes wrong in the local cloud of an environment, by rule.", no_args_is_help=True
)
app.add_typer(faults, name="faults")


@app.command()
def start(
    env: EnvironmentName,
    project: Annotated[
        str | None, typer.Option("--project", help="The project that it serves.")
    ] = None,
    propagation: Annotated[
        str,
        typer.Option(
            help="How grants are delayed from now on: none, seeded (a new cloud's way), realistic "
            "(Google's minutes in scaled time) or flickering (with false starts); as before "
            "where nothing is said."
        ),
    ] = "",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Start it, with the services that it ran before; does nothing when it runs already."""
    from orchestration.cli.rehearsing import start_cloud

    with reported(as_json=as_json, debug=debug):
        start_cloud(env, project, propagation, as_json=as_json)


@app.command()
def status(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Say whether it runs, where, and what runs in it."""
    from orchestration.cli.rehearsing import show_cloud

    with reported(as_json=as_json, debug=debug):
        show_cloud(env, as_json=as_json)


@app.command()
def stop(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Stop it and every service in it; what it holds is kept."""
    from orchestration.cli.rehearsing import stop_cloud

    with reported(as_json=as_json, debug=debug):
        stop_cloud(env, as_json=as_json)


@app.command("env")
def client_environment(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Print the variables that point Google's clients, gcloud and the official provider at it.

    As lines for a shell: eval "$(conductor cloud env --env local)". HTTPS leads nowhere from there.
    """
    from orchestration.cli.rehearsing import print_client_variables

    with reported(as_json=as_json, debug=debug):
        print_client_variables(env, as_json=as_json)


@app.command()
def log(
    env: EnvironmentName,
    method: Annotated[
        str, typer.Option(help="Only methods like this: 'pubsub.*', '*.setIamPolicy'.")
    ] = "*",
    principal: Annotated[
        str, typer.Option(help="Only callers like this: 'serviceAccount:worker*'.")
    ] = "*",
    failed: Annotated[bool, typer.Option("--failed", help="Only errors and faults.")] = False,
    last: Annotated[int, typer.Option(min=0, help="Only so many, the latest; 0 for all.")] = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show every call that reached it: who, what, whether it was allowed, which fault it had."""
    from orchestration.cli.disturbing import Selection, show_log

    with reported(as_json=as_json, debug=debug):
        selection = Selection(method, principal, is_failed_only=failed, last=last)
        show_log(env, selection, as_json=as_json)


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="The service.")],
    env: EnvironmentName,
    revision: Annotated[
        str, typer.Option(help="The revision; by default the one that wrote last.")
    ] = "",
    instance: Annotated[str, typer.Option(help="Only the instance whose id begins so.")] = "",
    last: Annotated[int, typer.Option(min=0, help="Only so many, the latest; 0 for all.")] = 50,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show what a service in it has written, line by line, with time and instance."""
    from orchestration.cli.rehearsing import show_service_log

    with reported(as_json=as_json, debug=debug):
        show_service_log(env, service, revision, instance, last=last, as_json=as_json)


@faults.command("set")
def set_faults(
    file: Annotated[Path, typer.Argument(help="A YAML file of fault rules.")],
    env: EnvironmentName,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Replace the fault rules by those of a file; they are in force at once."""
    from orchestration.cli.disturbing import set_from_file

    with reported(as_json=as_json, debug=debug):
        set_from_file(env, file, as_json=as_json)


@faults.command("show")
def show_faults(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show the fault rules, and how often each matched and struck."""
    from orchestration.cli.disturbing import show

    with reported(as_json=as_json, debug=debug):
        show(env, as_json=as_json)


@faults.command("clear")
def clear_faults(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Drop every fault rule."""
    from orchestration.cli.disturbing import clear

    with reported(as_json=as_json, debug=debug):
        clear(env, as_json=as_json)
