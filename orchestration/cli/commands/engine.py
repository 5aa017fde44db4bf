"""`conductor pulumi`: the engine on one stack alone."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import (
    DatabaseUrl,
    Debug,
    Engine,
)

# What is behind the command's first word is Pulumi's, `--help` and `--json` included.
CONTEXT_SETTINGS = {"allow_interspersed_args": False, "ignore_unknown_options": True}


def pulumi_command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="ARGS...", help="Pulumi's command line, as in: up -s ENV.foundation"
        ),
    ],
    env: Annotated[
        str | None,
        typer.Option("--env", help="The environment, for commands that name no stack."),
    ] = None,
    engine: Engine = "auto",
    database_url: DatabaseUrl = None,
    debug: Debug = False,
) -> None:
    """Run Pulumi on one stack alone; exits as the engine does.

    `conductor pulumi up|preview|refresh|destroy|stack|config|... -s STACK` runs the engine with the
    environment's state, passphrase and credentials, in the project's folder. Our own options come
    before the command. `conductor pulumi env -s STACK [--json]` prints the variables that a plain
    `pulumi` needs: eval "$(conductor pulumi env -s STACK)".

    The engine's exit codes: 0 done, 1 failed, 2 wrong call, 6 no such stack, 7 unexpected changes,
    8 declined, 255 internal error.
    """
    from orchestration.cli import pulumi

    with reported(debug=debug):
        code = pulumi.run(words, env=env, engine=engine, database_url=database_url)
    raise typer.Exit(code)
