"""`conductor serve` and `conductor token create`: the coordination engine's API and its keys."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from orchestration.api.backend import Backend, ServerSettings
from orchestration.api.running import serve
from orchestration.cli import console
from orchestration.cli.logs import log_to_stderr
from orchestration.coordination.identity import Role
from orchestration.coordination.rules import Rules
from orchestration.coordination.rules_file import read_rules
from orchestration.coordination.storage import tokens
from orchestration.coordination.storage.database import Database
from orchestration.coordination.storage.tokens import TokenHolder
from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.execution.assembly import ActingOn, capabilities_of, opened_executor
from orchestration.settings import Settings
from orchestration.targets.opening import target_of

DATABASE_VARIABLE = "CONDUCTOR_DATABASE_URL"
WEBHOOK_SECRET_VARIABLE = "CONDUCTOR_WEBHOOK_SECRET"  # noqa: S105 - a variable's name
STATE_FOLDER = "coordination"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
LONGEST_NAME = 200


def serve_api(
    *,
    host: str,
    port: int,
    state_dir: Path | None,
    database_url: str | None,
    allowed_agents: Sequence[str],
    webhook_url: str | None,
    env: str | None = None,
    customer: str | None = None,
    rules: Path | None,
    as_json: bool,
) -> None:
    """Serve the API until the process is told to end; plans act on an environment, if one is named.

    Raises:
        UsageError: options do not go together, or there is no such environment.
        TokenMissing: others could reach the server, and nobody has a token yet.
    """
    log_to_stderr()
    if customer is not None and env is None:
        raise UsageError("--customer says whose an environment is", hint="name it with --env")
    acting_on = None if env is None else _acting_on(env)
    settings = _settings(
        is_exposed=host not in LOOPBACK_HOSTS,
        allowed_agents=allowed_agents,
        webhook_url=webhook_url,
        rules=rules,
    )
    url = database_location(state_dir, database_url, env)
    capabilities = capabilities_of(acting_on, customer, settings.rules)
    database = Database.open(url)
    backend = Backend(database, settings, capabilities)
    try:
        with database.reading() as tx:
            is_embedded = not settings.is_exposed and not tokens.any_exists(tx)

        def announce(taken_port: int) -> None:
            _announce(
                f"http://{f'[{host}]' if ':' in host else host}:{taken_port}",
                database.description,
                env,
                is_embedded=is_embedded,
                as_json=as_json,
            )

        with opened_executor(
            backend.coordinator,
            backend.router,
            capabilities,
            acting_on,
            database=database,
            folder=_state_folder(state_dir, env),
            url=None if url.startswith("sqlite") else url,
        ) as executor:
            backend.executor = executor
            serve(backend, host=host, port=port, on_ready=announce)
    finally:
        database.close()


def _settings(
    *,
    is_exposed: bool,
    allowed_agents: Sequence[str],
    webhook_url: str | None,
    rules: Path | None,
) -> ServerSettings:
    secret = os.environ.get(WEBHOOK_SECRET_VARIABLE, "")
    if webhook_url and not secret:
        raise UsageError(
            "a webhook needs a secret to sign with",
            hint=f"set {WEBHOOK_SECRET_VARIABLE} to a long random text that the receiver knows",
        )
    return ServerSettings(
        is_exposed=is_exposed,
        allowed_agents=tuple(allowed_agents) or ServerSettings().allowed_agents,
        webhook_url=webhook_url,
        webhook_secret=secret,
        rules=read_rules(rules) if rules else Rules(),
    )


def _announce(served: str, data: str, env: str | None, *, is_embedded: bool, as_json: bool) -> None:
    """Say where the API is, and whom it believes."""
    if as_json:
        event = {
            "event": "serving",
            "url": served,
            "database": data,
            "tokens_required": not is_embedded,
            "environment": env,
        }
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
        return
    output = console.output()
    acts = f"; plans act on environment {env}" if env is not None else ""
    output.print(f"serving on {served}, data in {escape(data)}{acts}")
    if is_embedded:
        output.print(
            "no token was created yet: whoever can call this machine is believed to be "
            "whom the request names; `conductor token create` ends that"
        )


def _acting_on(env: str) -> ActingOn:
    environment = Environment(env, Settings.from_environment())
    return ActingOn(environment, target_of(environment))


def create_token(
    *,
    role: str,
    subject: str,
    customer: str | None,
    state_dir: Path | None,
    database_url: str | None,
    env: str | None = None,
    as_json: bool,
) -> None:
    """Create a token and print it, this once."""
    try:
        known_role = Role(role)
    except ValueError:
        names = ", ".join(Role)
        raise UsageError(f"there is no role {role!r}", hint=f"roles are {names}") from None
    for what, name in (("subject", subject), ("customer", customer)):
        if name is not None and not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
            raise UsageError(f"the {what} {name!r} is not usable", hint="use up to 200 characters")
    database = Database.open(database_location(state_dir, database_url, env))
    try:
        with database.transaction() as tx:
            holder = TokenHolder(subject=subject, role=known_role, customer_id=customer)
            text = tokens.create(tx, holder, actor=getpass.getuser())
    finally:
        database.close()
    if as_json:
        event = {
            "event": "token_created",
            "token": text,
            "role": known_role.value,
            "subject": subject,
            "customer": customer,
        }
        sys.stdout.write(json.dumps(event) + "\n")
        return
    # Only the token on standard output, so that a shell can take it as it is.
    sys.stdout.write(text + "\n")
    console.errors().print(
        f"{known_role.value} {escape(subject)}"
        f"{f' of customer {escape(customer)}' if customer else ''}: "
        "keep this token, it is shown only once"
    )


def database_location(
    state_dir: Path | None, database_url: str | None, env: str | None = None
) -> str:
    """Say where the data lies: what was named, else the environment variable, else a file here.

    Raises:
        UsageError: two places were named.
    """
    if state_dir and database_url:
        raise UsageError("--state-dir and --database-url name two places", hint="give one of them")
    url = database_url or (None if state_dir else os.environ.get(DATABASE_VARIABLE))
    return url or f"sqlite:///{_state_folder(state_dir, env) / 'coordination.db'}"


def _state_folder(state_dir: Path | None, env: str | None) -> Path:
    """Give the folder that was named, else the environment's, else one beside environments."""
    if state_dir is not None:
        return state_dir.resolve()
    settings = Settings.from_environment()
    beside = settings.environments_dir if env is None else Environment(env, settings).folder
    return (beside / STATE_FOLDER).resolve()
