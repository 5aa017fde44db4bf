"""`conductor cloud`: the local cloud of an environment."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="The local cloud of an environment.", no_args_is_help=True)

EnvironmentName = Annotated[str, typer.Option("--env", help="The environment's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@app.command()
def start(
    env: EnvironmentName,
    project: Annotated[
        str | None, typer.Option("--project", help="The project that it serves.")
    ] = None,
    propagation: Annotated[
        str, typer.Option(help="How grants are delayed: seeded or none.")
    ] = "seeded",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Start it, with the services that it ran before; does nothing when it runs already."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - `--help` must not wait for it
    from orchestration.cli.rehearsing import start_cloud  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        start_cloud(env, project, propagation, as_json=as_json)


@app.command()
def status(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Say whether it runs, where, and what runs in it."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - `--help` must not wait for it
    from orchestration.cli.rehearsing import show_cloud  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        show_cloud(env, as_json=as_json)


@app.command()
def stop(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Stop it and every service in it; what it holds is kept."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - `--help` must not wait for it
    from orchestration.cli.rehearsing import stop_cloud  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        stop_cloud(env, as_json=as_json)
