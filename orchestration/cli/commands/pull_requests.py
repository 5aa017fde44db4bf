"""Commands around pull requests: the comment on one, and environments that outlived theirs."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.console import reported
from orchestration.cli.options import AsJson, DatabaseUrl, Debug


def comment(
    github: Annotated[
        bool,
        typer.Option(
            "--github",
            help="Have it on the GitHub pull request, in the place of the one before; GITHUB_TOKEN "
            "says who writes. Without this it is printed.",
        ),
    ] = False,
    preview: Annotated[
        str | None,
        typer.Option(
            "--preview",
            metavar="FILE|FINGERPRINT",
            help="What `preview --out` wrote, or a preview of --env; by default its newest.",
        ),
    ] = None,
    env: Annotated[
        str | None, typer.Option("--env", help="The environment that has stored the preview.")
    ] = None,
    repo: Annotated[
        str | None,
        typer.Option(
            "--repo", metavar="OWNER/NAME", help="The repository; by default GITHUB_REPOSITORY."
        ),
    ] = None,
    pull: Annotated[
        int | None,
        typer.Option(
            "--pull",
            min=1,
            metavar="NUMBER",
            help="The pull request; by default the one that has started the workflow.",
        ),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="URL",
            help="Where the full report is: a comment that cannot hold everything leads there.",
        ),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option(
            "--author",
            metavar="LOGIN",
            help="Who comments, for the token of an app, which may not ask; by default "
            "github-actions[bot].",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say in a pull request's comment what a preview found; the one before is replaced."""
    from orchestration.cli.commenting import CommentRequest, comment_on_pull

    with reported(as_json=as_json, debug=debug):
        comment_on_pull(
            CommentRequest(
                preview=preview,
                environment=env,
                on_github=github,
                repository=repo,
                pull=pull,
                report=report,
                author=author,
            ),
            as_json=as_json,
        )


def sweep(
    env: Annotated[
        str | None, typer.Option("--env", help="Look at this environment only; by default at all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which environments have expired.")
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Destroy the environments whose time is over: those that `up --ttl` has made, and no other.

    One that is busy, or holds protected resources, is left as it is: then it exits 3. It exits 1
    when one could not be destroyed; the others are, even so.
    """
    from orchestration.cli.expiring import sweep as sweep_all

    with reported(as_json=as_json, debug=debug):
        code = sweep_all(env, only_tell=dry_run, database_url=database_url, as_json=as_json)
    if code:
        raise typer.Exit(code)
