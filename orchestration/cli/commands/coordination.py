"""Commands of the coordination engine's API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import (
    AsJson,
    DatabaseUrl,
    Debug,
)


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port; 0 takes a free one.")] = 8080,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", metavar="DIR", help="The folder of its data.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", help="The environment whose services plans may change."),
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option("--customer", metavar="ID", help="The only customer whose plans may."),
    ] = None,
    database_url: DatabaseUrl = None,
    allow_agent: Annotated[
        list[str] | None,
        typer.Option("--allow-agent", metavar="HOST", help="A host that agents may be on."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Where notifications go.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="Freezes, contradictions, approvals, plans."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Serve the coordination engine's API until told to end; drains what is under way."""
    from orchestration.cli.serving import serve_api

    with reported(as_json=as_json, debug=debug):
        serve_api(
            host=host,
            port=port,
            state_dir=state_dir,
            database_url=database_url,
            allowed_agents=tuple(allow_agent or ()),
            webhook_url=webhook,
            rules=rules,
            env=env,
            customer=customer,
            as_json=as_json,
        )


def create_token(
    role: Annotated[str, typer.Option("--role", help="agent, approver, operator or viewer.")],
    subject: Annotated[str, typer.Option("--subject", help="Whose it is.")],
    customer: Annotated[
        str | None, typer.Option("--customer", help="The only customer that it sees.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", metavar="DIR", help="The folder of the data.")
    ] = None,
    env: Annotated[
        str | None, typer.Option("--env", help="As for `serve`: where the data is by default.")
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Create a token for the API and print it, this once."""
    from orchestration.cli import serving

    with reported(as_json=as_json, debug=debug):
        serving.create_token(
            role=role,
            subject=subject,
            customer=customer,
            state_dir=state_dir,
            database_url=database_url,
            env=env,
            as_json=as_json,
        )
