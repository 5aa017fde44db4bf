"""`conductor resume`: a run whose process has died, brought to its end by name."""

from __future__ import annotations

from pathlib import Path

from orchestration.cli.deploying import Request, deploy
from orchestration.conductor.records import RunInputs, RunStatus, find_run
from orchestration.errors import UsageError
from orchestration.settings import Settings


def resume(run_id: str, *, database_url: str | None, as_json: bool) -> None:
    """Go on with a run where it was cut off, with the inputs that it was given.

    Raises:
        UsageError: there is no such run, or it has ended.
        Blocked: the architecture file has changed since.
        ConductorError: the run failed.
    """
    record = find_run(run_id, Settings.from_environment())
    if record.status is not RunStatus.RUNNING:
        raise UsageError(
            f"run {run_id} has ended: {record.status.value}",
            hint="only a run whose process has died can be resumed; start a new one with `up`",
        )
    request, director_timeout_s = request_of(record.environment, record.inputs, database_url)
    deploy(request, director_timeout_s=director_timeout_s, as_json=as_json)


def request_of(
    environment: str, inputs: RunInputs, database_url: str | None
) -> tuple[Request, float]:
    """Give the request that a run's recorded inputs stand for, and its director's timeout."""
    options = inputs.options
    request = Request(
        architecture=Path(inputs.architecture),
        environment=environment,
        target=None,
        project=options.get("project") or None,
        source_root=Path(options["source_root"]) if options.get("source_root") else None,
        engine=options.get("engine", "auto"),
        refresh=options.get("refresh") != "false",
        propagation=options.get("propagation", ""),
        builder=options.get("builder", "auto"),
        suffix=options.get("suffix") or None,
        state_bucket=options.get("state_bucket") or None,
        secrets_provider=options.get("secrets_provider") or None,
        placeholders=options.get("placeholders") == "true",
        skip=_words(options.get("skip", "")),
        only=_words(options.get("only", "")),
        on_failure=options.get("on_failure", "rollback"),
        database_url=database_url,
        approved=options.get("approved") or None,
    )
    return request, float(options.get("director_timeout", "600"))


def _words(listed: str) -> tuple[str, ...]:
    return tuple(listed.split(",")) if listed else ()
