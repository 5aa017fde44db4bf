"""`conductor pulumi …`: Pulumi's own commands on one stack of an environment.

The words after `pulumi` are passed on to the engine as they are, and its exit code comes back.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence

from orchestration.automation.engines import EngineName, engine_for
from orchestration.automation.shell import (
    DISTURBING,
    is_changing,
    is_deploying,
    run_pulumi,
    stack_in,
)
from orchestration.cli.deploying import one_of
from orchestration.conductor.assembly import stack_home
from orchestration.durable.holding import held_environment
from orchestration.environments import Environment, known_environments
from orchestration.errors import UsageError
from orchestration.settings import Settings
from orchestration.targets.opening import target_of
from orchestration.targets.target import Target


def run(
    words: Sequence[str], *, env: str | None, engine: str, database_url: str | None = None
) -> int:
    """Run a Pulumi command, or print the variables that it needs; give the exit code.

    Raises:
        ConductorError: the environment does not exist or is busy, or its cloud does not start.
    """
    environment = _environment(words, env)
    chosen = engine_for(one_of(EngineName, engine, "--engine"), environment.require_record().target)
    if words[:1] == ["env"]:
        _print_variables(environment, words[1:])
        return 0
    if not is_changing(words):
        return _pass_on(words, environment, chosen)
    with held_environment(environment, f"conductor pulumi {' '.join(words)}", database_url):
        return _pass_on(words, environment, chosen)


def _pass_on(words: Sequence[str], environment: Environment, engine: EngineName) -> int:
    home = stack_home(environment, engine)
    variables = home.environ()
    if is_deploying(words) or home.is_remote:
        variables |= _prepared(environment).credentials()
    folder = environment.settings.project_dir
    return run_pulumi(words, engine=engine, folder=folder, variables=variables)


def _environment(words: Sequence[str], env: str | None) -> Environment:
    """Find the environment by the stack's name, else by `--env`, else the only one there is."""
    settings = Settings.from_environment()
    stack = stack_in(words)
    said = stack.partition(".")[0] if stack else None
    if said and env and said != env:
        raise UsageError(f"stack {stack!r} belongs to environment {said!r}, not {env!r}")
    known = known_environments(settings)
    name = said or env or (known[0] if len(known) == 1 else None)
    if name is None:
        raise UsageError(
            "which environment? the command names no stack",
            hint=f"add `-s STACK`, or --env before the command (known: {', '.join(known)})",
        )
    environment = Environment(name, settings)
    environment.require_record()
    return environment


def _prepared(environment: Environment) -> Target:
    """Make the environment's target usable: a local cloud is started unless it runs."""
    target = target_of(environment)
    target.prepare()
    return target


def _print_variables(environment: Environment, words: Sequence[str]) -> None:
    """Print what a plain `pulumi` needs in its environment: `export` lines, or JSON."""
    # Its own folder, where its plugins are, is left to the real engine.
    home = stack_home(environment, EngineName.PULUMI)
    variables = {**home.environ(), **_prepared(environment).credentials()}
    if "--json" in words:
        sys.stdout.write(json.dumps(variables, indent=2) + "\n")
        return
    for name in DISTURBING:
        if name in os.environ:
            sys.stdout.write(f"unset {name}\n")
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
