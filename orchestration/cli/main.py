"""The `conductor` command: which words there are, in the order in which `--help` lists them."""

from __future__ import annotations

import typer

from orchestration.cli.commands import (
    architecture,
    cloud,
    coordination,
    deployment,
    engine,
    inspection,
    overrides,
    pull_requests,
    secrets,
)

app = typer.Typer(
    name="conductor",
    help="Take an event-driven system from one architecture file to running services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
plan = typer.Typer(help="Show what `up` would need.", no_args_is_help=True)
token = typer.Typer(help="Keys to the coordination engine's API.", no_args_is_help=True)

app.command()(deployment.up)
app.command()(deployment.preview)
app.command()(pull_requests.comment)
app.command()(architecture.generate)
app.command()(architecture.check)
app.command()(architecture.graph)
app.command()(deployment.destroy)
app.command()(pull_requests.sweep)
app.command()(deployment.rollback)
app.command()(deployment.resume)
app.command()(coordination.serve)
app.command()(deployment.worker)
app.command()(inspection.status)
app.command()(inspection.drift)
app.command(name="runs")(inspection.list_runs)
app.command()(inspection.report)
app.command()(inspection.doctor)
app.command(name="pulumi", no_args_is_help=True, context_settings=engine.CONTEXT_SETTINGS)(
    engine.pulumi_command
)
app.add_typer(cloud.app, name="cloud")
app.add_typer(secrets.app, name="secrets")
app.add_typer(overrides.app, name="overrides")
app.add_typer(plan, name="plan")
plan.command(name="iam")(architecture.plan_iam)
app.add_typer(token, name="token")
token.command(name="create")(coordination.create_token)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
