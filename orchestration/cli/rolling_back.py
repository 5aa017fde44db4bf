"""`conductor rollback`: an environment brought back to one of its releases."""

from __future__ import annotations

from orchestration.automation.engines import EngineName
from orchestration.cli.asking import ask
from orchestration.cli.console import output
from orchestration.cli.progress import JsonProgress, PlainProgress
from orchestration.conductor.assembly import stack_operations
from orchestration.conductor.rolling_back import RollbackPlan, plan_return, run_rollback
from orchestration.environments import Environment
from orchestration.settings import Settings
from orchestration.targets.opening import target_of
from orchestration.wording import counted


def roll_back(
    env: str, *, to: str | None, yes: bool, database_url: str | None, as_json: bool
) -> None:
    """Bring an environment back to a release.

    Raises:
        UsageError: there is no such environment or release, or nobody there to ask.
        Stuck: something could not be undone.
    """
    environment = Environment(env, Settings.from_environment())
    console = output()
    target = target_of(environment)
    progress = JsonProgress() if as_json else PlainProgress(console)
    with environment.locked(f"conductor rollback --env {env}"):
        target.prepare()
        operations = stack_operations(environment, target, EngineName.AUTO)
        plan = plan_return(environment, operations, to)
        if plan.steps and not yes:
            ask(
                f"This brings environment {env} back {_where(plan)}",
                plan.steps,
                "Roll back?",
                unasked=f"rolling {env} back {_where(plan)} changes"
                f" {counted(len(plan.steps), 'stack')}",
            )
        run_rollback(environment, target, operations, plan, [progress], database=database_url)
    if not as_json:
        console.print(f"environment {env} is back {_where(plan)}")


def _where(plan: RollbackPlan) -> str:
    if plan.release is None:
        return "to nothing: it never had a release"
    return f"at release {plan.release.release_id}"
