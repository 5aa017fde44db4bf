"""Commands about what plans have recorded above an architecture."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import AsJson, DatabaseUrl, Debug, EnvironmentName

app = typer.Typer(
    help="What plans have recorded above an environment's architecture.", no_args_is_help=True
)


@app.command(name="list")
def list_overrides(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """List what is recorded, with the plan that did it and what it stands over."""
    from orchestration.cli.overrides import show_overrides

    with reported(as_json=as_json, debug=debug):
        show_overrides(env, as_json=as_json)


@app.command(name="remove")
def remove_override(
    env: EnvironmentName,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service's name.")],
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="As `list` shows it; all of the service's if left out."),
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Take away what is recorded of a service; the next `up` deploys it without."""
    from orchestration.cli.overrides import remove_overrides

    with reported(as_json=as_json, debug=debug):
        remove_overrides(env, service, key, database_url=database_url, as_json=as_json)
