"""The `conductor` command.

Every command imports what it needs when it runs: `conductor --help` must not wait for Pulumi.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli import cloud, secrets

app = typer.Typer(
    name="conductor",
    help="Take an event-driven system from one architecture file to running services.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cloud.app, name="cloud")
app.add_typer(secrets.app, name="secrets")
plan = typer.Typer(help="Show what `up` would need.", no_args_is_help=True)
app.add_typer(plan, name="plan")
token = typer.Typer(help="Keys to the coordination engine's API.", no_args_is_help=True)
app.add_typer(token, name="token")

ArchitectureFile = Annotated[
    Path, typer.Argument(metavar="ARCH", help="The architecture file (services.yaml).")
]
EnvironmentName = Annotated[str, typer.Option("--env", help="The environment's name.")]
TargetChoice = Annotated[
    str | None,
    typer.Option("--target", help="Where the environment lives, when it is made: local."),
]
Project = Annotated[
    str | None, typer.Option("--project", help="The project of a file that names none.")
]
SourceRoot = Annotated[
    Path | None, typer.Option("--source-root", help="Replaces every source_path of the file.")
]
Suffix = Annotated[
    str | None,
    typer.Option(
        "--suffix",
        metavar="ID",
        help="What the names of a test run end in; an environment keeps the one it is made with.",
    ),
]
Placeholders = Annotated[
    bool,
    typer.Option(
        "--placeholders", help="Have a marked stand-in deployed where a service has no source."
    ),
]
Engine = Annotated[
    str, typer.Option("--engine", help="Pulumi's engine: auto, embedded, or the real pulumi.")
]
Builder = Annotated[
    str,
    typer.Option(
        "--builder",
        help="What builds images: docker, assemble (no docker needed), or auto, which is what the "
        "environment was last deployed with, at first assemble.",
    ),
]
Refresh = Annotated[
    bool, typer.Option("--refresh/--no-refresh", help="Look for drift before comparing.")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="CONDUCTOR_DATABASE_URL",
        show_envvar=False,
        metavar="URL",
        help="The PostgreSQL in which runs are kept; by default a file of the environment.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of text.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@app.command()
def up(
    architecture: ArchitectureFile,
    env: EnvironmentName,
    target: TargetChoice = None,
    project: Project = None,
    source_root: SourceRoot = None,
    placeholders: Placeholders = False,
    suffix: Suffix = None,
    engine: Engine = "auto",
    builder: Builder = "auto",
    refresh: Refresh = True,
    propagation: Annotated[
        str,
        typer.Option(
            help="How the local cloud delays grants: seeded, none, realistic or flickering."
        ),
    ] = "seeded",
    director_timeout: Annotated[
        float, typer.Option(help="How long to wait for the director, in seconds.")
    ] = 600.0,
    on_failure: Annotated[
        str,
        typer.Option(
            "--on-failure",
            metavar="rollback|keep",
            help="Undo what a failed run has done, or keep it for the next run to go on from.",
        ),
    ] = "rollback",
    skip: Annotated[
        list[str] | None,
        typer.Option(
            "--skip",
            metavar="PHASES",
            help="Leave these phases out: numbers or names, as in 2,resource-iam. They must have "
            "succeeded before, with the same architecture.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="PHASES", help="Run these phases only.")
    ] = None,
    database_url: DatabaseUrl = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Leave the run to whichever `conductor worker` on the same database is free.",
        ),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Deploy an architecture: phases 0 to 7, then a table of what runs."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.deploying import Request, deploy  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        begin = deploy
        if detach:
            from orchestration.cli.working import detach as begin  # noqa: PLC0415 - as above
        begin(
            Request(
                architecture=architecture,
                environment=env,
                target=target,
                project=project,
                source_root=source_root,
                placeholders=placeholders,
                engine=engine,
                builder=builder,
                suffix=suffix,
                refresh=refresh,
                propagation=propagation,
                skip=tuple(skip or ()),
                only=tuple(only or ()),
                on_failure=on_failure,
                database_url=database_url,
            ),
            director_timeout_s=director_timeout,
            as_json=as_json,
        )


@app.command()
def preview(
    architecture: ArchitectureFile,
    env: EnvironmentName,
    target: TargetChoice = None,
    project: Project = None,
    source_root: SourceRoot = None,
    placeholders: Placeholders = False,
    suffix: Suffix = None,
    engine: Engine = "auto",
    builder: Builder = "auto",
    refresh: Refresh = True,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 when there are changes.")
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show, stack by stack, what `up` would change."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.deploying import Request  # noqa: PLC0415
    from orchestration.cli.previewing import preview_all  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        changed = preview_all(
            Request(
                architecture=architecture,
                environment=env,
                target=target,
                project=project,
                source_root=source_root,
                placeholders=placeholders,
                engine=engine,
                builder=builder,
                suffix=suffix,
                refresh=refresh,
                propagation="seeded",
            ),
            as_json=as_json,
        )
    if changed and detailed_exitcode:
        raise typer.Exit(10)


@app.command()
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
    from orchestration.cli import generating  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        generating.generate(architecture, env, project, out, suffix=suffix, as_json=as_json)


@plan.command(name="iam")
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
    written_as: Annotated[
        str, typer.Option("--format", help="How to write the plan: table, yaml or json.")
    ] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    debug: Debug = False,
) -> None:
    """Show every IAM grant and why it is there; touches no cloud."""
    from orchestration.cli import planning  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415
    from orchestration.cli.deploying import one_of  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        planning.plan_iam(
            architecture,
            env,
            project=project,
            deployer=deployer,
            suffix=suffix,
            written_as=one_of(planning.PlanFormat, "json" if as_json else written_as, "--format"),
        )


@app.command()
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
    from orchestration.cli import (  # noqa: PLC0415 - see the module's docstring
        checking,
        explaining,
        migrating,
    )
    from orchestration.cli.console import reported  # noqa: PLC0415
    from orchestration.cli.deploying import one_of  # noqa: PLC0415

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


@app.command()
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
    from orchestration.cli import graphing  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        graphing.show_graph(
            architecture, env, project=project, written_as=written_as, out=out, as_json=as_json
        )


@app.command()
def destroy(
    env: EnvironmentName,
    dataflow: Annotated[
        str | None, typer.Option("--dataflow", help="Delete this dataflow only, and its services.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    suffix: Suffix = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete everything that `up` has made in an environment; enabled APIs stay enabled."""
    from orchestration.cli import destroying  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        destroying.destroy(env, dataflow=dataflow, yes=yes, suffix=suffix, as_json=as_json)


@app.command()
def rollback(
    env: EnvironmentName,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="RELEASE",
            help="The release to go back to; by default the one before what stands now.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Bring an environment back to an earlier release; resources with data are kept."""
    from orchestration.cli import rolling_back  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        rolling_back.roll_back(env, to=to, yes=yes, database_url=database_url, as_json=as_json)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `status` shows it.")],
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Go on with a run whose process has died, with the inputs that it was given."""
    from orchestration.cli import resuming  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        resuming.resume(run, database_url=database_url, as_json=as_json)


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="The address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port; 0 takes a free one.")] = 8080,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", metavar="DIR", help="The folder of its data.")
    ] = None,
    database_url: DatabaseUrl = None,
    allow_agent: Annotated[
        list[str] | None,
        typer.Option("--allow-agent", metavar="HOST", help="A host that agents may be on."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Where notifications go.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Serve the coordination engine's API until told to end; drains what is under way."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.serving import serve_api  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        serve_api(
            host=host,
            port=port,
            state_dir=state_dir,
            database_url=database_url,
            allowed_agents=tuple(allow_agent or ()),
            webhook_url=webhook,
            as_json=as_json,
        )


@token.command(name="create")
def create_token(
    role: Annotated[str, typer.Option("--role", help="agent, approver, operator or viewer.")],
    subject: Annotated[str, typer.Option("--subject", help="Whose it is.")],
    customer: Annotated[
        str | None, typer.Option("--customer", help="The only customer that it sees.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", metavar="DIR", help="The folder of the data.")
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Create a token for the API and print it, this once."""
    from orchestration.cli import serving  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        serving.create_token(
            role=role,
            subject=subject,
            customer=customer,
            state_dir=state_dir,
            database_url=database_url,
            as_json=as_json,
        )


@app.command()
def worker(
    database_url: DatabaseUrl = None,
    lease: Annotated[
        float,
        typer.Option(
            "--lease",
            metavar="SECONDS",
            help="After this long without a sign of life, other workers take its run over.",
        ),
    ] = 45.0,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Do the runs that `up --detach` has queued, one at a time, until Ctrl-C."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.working import work  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        work(database_url, lease_s=lease, as_json=as_json)


@app.command()
def status(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what an environment holds, its last run, and what is running."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.reporting import show_status  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        show_status(env, as_json=as_json)


@app.command()
def drift(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what is not as the last run left it; exits 10 when anything is. Changes nothing."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.drifting import show_drift  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        has_drifted = show_drift(env, as_json=as_json)
    if has_drifted:
        raise typer.Exit(10)


@app.command(name="runs")
def list_runs(env: EnvironmentName, as_json: AsJson = False, debug: Debug = False) -> None:
    """List an environment's runs, the newest first, and which one is live."""
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.history import show_runs  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        show_runs(env, as_json=as_json)


@app.command()
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
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.run_report import write_report  # noqa: PLC0415

    with reported(debug=debug):
        write_report(run, written_as=written_as, out=out, database=database_url)


@app.command()
def doctor(
    env: Annotated[str | None, typer.Option("--env", help="Look at this environment only.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what this machine has of what is needed, what is missing, and what to do.

    Exits 3 when something is missing that a rehearsal needs.
    """
    from orchestration.cli.console import reported  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.doctor import run_doctor  # noqa: PLC0415

    with reported(as_json=as_json, debug=debug):
        has_problems = run_doctor(env, as_json=as_json)
    if has_problems:
        raise typer.Exit(3)


@app.command(
    name="pulumi",
    no_args_is_help=True,
    # What is behind the command's first word is Pulumi's, `--help` and `--json` included.
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
)
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
    from orchestration.cli import pulumi  # noqa: PLC0415 - see the module's docstring
    from orchestration.cli.console import reported  # noqa: PLC0415

    with reported(debug=debug):
        code = pulumi.run(words, env=env, engine=engine)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
