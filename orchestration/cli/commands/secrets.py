"""`conductor secrets`: the values of secrets, which no architecture file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import AsJson, Debug

app = typer.Typer(help="The secrets of an environment.", no_args_is_help=True)


# With one command alone Typer would leave the command's word out.
@app.callback()
def _secrets() -> None: ...


@app.command(name="set")
def set_value(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The secret, as in `value_from`.")],
    env: Annotated[str, typer.Option("--env", help="The environment's name.")] = "local",
    from_file: Annotated[
        Path | None,
        typer.Option("--from-file", metavar="FILE", help="Take the value from a file, as it is."),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", help="The project of an environment that is not made yet."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Give a secret a new version, and print which one to pin.

    The value comes from --from-file, else from standard input without the line break at its end;
    on a terminal it is asked for and not shown. It is never an argument: those are in the shell's
    history and in everybody's list of processes.
    """
    from orchestration.cli.seeding import read_value, set_secret

    with reported(as_json=as_json, debug=debug):
        set_secret(env, name, read_value(name, from_file), project=project, as_json=as_json)
