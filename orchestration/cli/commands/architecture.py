"""Commands on the architecture file alone; none of them touches a cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import (
    ArchitectureFile,
    AsJson,
    Debug,
    EnvironmentName,
    Project,
    SecretsProvider,
    SourceRoot,
    StateBucket,
    Suffix,
)


def generate(
    architecture: ArchitectureFile,
    env: EnvironmentName = "local",
    project: Project = None,
    suffix: Suffix = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder to write to; by default the environment's."),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write resources.yaml for every service; touches no cloud."""
    from orchestration.cli import generating

    with reported(as_json=as_json, debug=debug):
        generating.generate(architecture, env, project, out, suffix=suffix, as_json=as_json)


def plan_iam(
    architecture: ArchitectureFile,
    env: EnvironmentName = "local",
    project: Project = None,
    suffix: Suffix = None,
    deployer: Annotated[
        str | None,
        typer.Option(
            "--deployer",
            metavar="MEMBER",
            help="Who will run `up`, as in user:ada@example.com: lists the grants that this takes.",
        ),
    ] = None,
    state_bucket: StateBucket = None,
    secrets_provider: SecretsProvider = None,
    written_as: Annotated[
        str, typer.Option("--format", help="How to write the plan: table, yaml or json.")
    ] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    debug: Debug = False,
) -> None:
    """Show every IAM grant and why it is there; touches no cloud."""
    from orchestration.cli import planning
    from orchestration.cli.deploying import one_of

    with reported(as_json=as_json, debug=debug):
        planning.plan_iam(
            architecture,
            env,
            project=project,
            deployer=deployer,
            state_bucket=state_bucket,
            secrets_provider=secrets_provider,
            suffix=suffix,
            written_as=one_of(planning.PlanFormat, "json" if as_json else written_as, "--format"),
        )


def check(
    architecture: ArchitectureFile,
    env: EnvironmentName = "local",
    project: Project = None,
    source_root: SourceRoot = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show every value that the environment gets, and where it comes from."
        ),
    ] = False,
    written_as: Annotated[
        str,
        typer.Option("--format", metavar="text|json|sarif", help="How findings are written."),
    ] = "text",
    migrate: Annotated[
        bool,
        typer.Option(
            "--migrate",
            help="Write the file in the newest form: to --out, by default to the terminal.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A new file, for --migrate.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what is wrong in an architecture file, where, and what to do; touches no cloud.

    Exits 2 with errors, 0 with warnings only.
    """
    from orchestration.cli import (
        checking,
        explaining,
        migrating,
    )
    from orchestration.cli.deploying import one_of

    with reported(as_json=as_json and explain, debug=debug):
        if migrate:
            migrating.migrate(architecture, out)
        elif explain:
            explaining.explain_values(
                architecture, env, project=project, source_root=source_root, as_json=as_json
            )
        else:
            form = "json" if as_json else written_as
            checking.check(
                architecture,
                env,
                project=project,
                written_as=one_of(checking.CheckFormat, form, "--format"),
            )


def graph(
    architecture: ArchitectureFile,
    env: EnvironmentName = "local",
    project: Project = None,
    written_as: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="mermaid, dot or svg; by default what the file's name says, else mermaid.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; by default the terminal.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw dataflows, services and resources: who writes, reads and calls what."""
    from orchestration.cli import graphing

    with reported(as_json=as_json, debug=debug):
        graphing.show_graph(
            architecture, env, project=project, written_as=written_as, out=out, as_json=as_json
        )
