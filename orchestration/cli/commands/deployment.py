"""Commands that change an environment, and the one that shows what would change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import (
    ArchitectureFile,
    AsJson,
    Builder,
    DatabaseUrl,
    Debug,
    Engine,
    EnvironmentName,
    Placeholders,
    Project,
    Refresh,
    SecretsProvider,
    SourceRoot,
    StateBucket,
    Suffix,
    TargetChoice,
)

Propagation = Annotated[
    str,
    typer.Option(
        help="How the local cloud delays grants from now on: none, seeded (a new cloud's way), "
        "realistic or flickering; as before where nothing is said."
    ),
]
DirectorTimeout = Annotated[
    float, typer.Option(help="How long to wait for the director, in seconds.")
]
OnFailure = Annotated[
    str,
    typer.Option(
        "--on-failure",
        metavar="rollback|keep",
        help="Undo what a failed run has done, or keep it for the next run to go on from.",
    ),
]
Approved = Annotated[
    str | None,
    typer.Option(
        "--approved",
        metavar="FINGERPRINT|FILE",
        help="Do exactly what this preview says, or stop with exit code 3 and what is different.",
    ),
]
TimeToLive = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        metavar="DURATION",
        help="Have the environment expire after this time, as in 3d or 12h; `sweep` takes it down "
        "then. Each `up --ttl` says it anew.",
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        metavar="PHASES",
        help="Leave these phases out: numbers or names, as in 2,resource-iam. They must have "
        "succeeded before, with the same architecture.",
    ),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="PHASES", help="Run these phases only.")
]
Detach = Annotated[
    bool,
    typer.Option(
        "--detach",
        help="Leave the run to whichever `conductor worker` on the same database is free.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only say what a run would need, why, and what of it is missing; exits 3 if anything "
        "is. Needs no credentials.",
    ),
]


def up(
    architecture: ArchitectureFile,
    env: EnvironmentName,
    target: TargetChoice = None,
    project: Project = None,
    state_bucket: StateBucket = None,
    secrets_provider: SecretsProvider = None,
    source_root: SourceRoot = None,
    placeholders: Placeholders = False,
    suffix: Suffix = None,
    engine: Engine = "auto",
    builder: Builder = "auto",
    refresh: Refresh = True,
    propagation: Propagation = "",
    director_timeout: DirectorTimeout = 600.0,
    on_failure: OnFailure = "rollback",
    approved: Approved = None,
    ttl: TimeToLive = None,
    skip: Skip = None,
    only: Only = None,
    database_url: DatabaseUrl = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Deploy an architecture: phases 0 to 7, then a table of what runs."""
    from orchestration.cli.deploying import Request, deploy

    with reported(as_json=as_json, debug=debug):
        request = Request(
            architecture=architecture,
            environment=env,
            target=target,
            project=project,
            state_bucket=state_bucket,
            secrets_provider=secrets_provider,
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
            approved=approved,
            ttl=ttl,
        )
        if dry_run:
            from orchestration.cli.dry_running import dry_run as tell

            is_blocked = tell(request, as_json=as_json)
        else:
            is_blocked = False
            begin = deploy
            if detach:
                from orchestration.cli.working import detach as begin
            begin(request, director_timeout_s=director_timeout, as_json=as_json)
    if is_blocked:
        raise typer.Exit(3)


def preview(
    architecture: ArchitectureFile,
    env: EnvironmentName,
    target: TargetChoice = None,
    project: Project = None,
    state_bucket: StateBucket = None,
    secrets_provider: SecretsProvider = None,
    source_root: SourceRoot = None,
    placeholders: Placeholders = False,
    suffix: Suffix = None,
    engine: Engine = "auto",
    builder: Builder = "auto",
    refresh: Refresh = True,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 when there are changes.")
    ] = False,
    written_as: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="text|json|markdown|html|comment",
            help="How the preview is written: `comment` is what a pull request is shown.",
        ),
    ] = "text",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write what the fingerprint is over to a file, for `up --approved FILE`.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    debug: Debug = False,
) -> None:
    """Show, stack by stack, what `up` would change, and give it a fingerprint to approve."""
    from orchestration.cli.deploying import Request, one_of
    from orchestration.cli.previewing import PreviewFormat, preview_all

    with reported(as_json=as_json, debug=debug):
        form = one_of(PreviewFormat, "json" if as_json else written_as, "--format")
        changed = preview_all(
            Request(
                architecture=architecture,
                environment=env,
                target=target,
                project=project,
                state_bucket=state_bucket,
                secrets_provider=secrets_provider,
                source_root=source_root,
                placeholders=placeholders,
                engine=engine,
                builder=builder,
                suffix=suffix,
                refresh=refresh,
                propagation="",
            ),
            written_as=form,
            out=out,
        )
    if changed and detailed_exitcode:
        raise typer.Exit(10)


def destroy(
    env: EnvironmentName,
    dataflow: Annotated[
        str | None, typer.Option("--dataflow", help="Delete this dataflow only, and its services.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    suffix: Suffix = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete everything that `up` has made in an environment; enabled APIs stay enabled."""
    from orchestration.cli import destroying

    with reported(as_json=as_json, debug=debug):
        destroying.destroy(
            env,
            dataflow=dataflow,
            yes=yes,
            suffix=suffix,
            database_url=database_url,
            as_json=as_json,
        )


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
    from orchestration.cli import rolling_back

    with reported(as_json=as_json, debug=debug):
        rolling_back.roll_back(env, to=to, yes=yes, database_url=database_url, as_json=as_json)


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, as `status` shows it.")],
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Go on with a run whose process has died, with the inputs that it was given."""
    from orchestration.cli import resuming

    with reported(as_json=as_json, debug=debug):
        resuming.resume(run, database_url=database_url, as_json=as_json)


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
    stacks: Annotated[
        int,
        typer.Option(
            "--stacks",
            metavar="NUMBER",
            help="How many operations on stacks it does at once, for runs of any worker of this "
            "machine; the same for all of them.",
        ),
    ] = 4,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Do the runs that `up --detach` has queued, one at a time, until told to end.

    With a PostgreSQL the operations on a run's stacks are spread over all workers of the machine.

    SIGTERM or Ctrl-C hands back what it has in hand: operations on stacks are finished first, the
    run is left at its last finished step, for the next free worker to go on with. Exits 0 then.
    """
    from orchestration.cli.working import work

    with reported(as_json=as_json, debug=debug):
        work(database_url, lease_s=lease, stacks=stacks, as_json=as_json)
