"""`conductor serve` and `conductor token create`: the coordination engine's API and its keys."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from orchestration.api.backend import ServerSettings
from orchestration.api.running import serve
from orchestration.cli import console
from orchestration.cli.logs import log_to_stderr
from orchestration.coordination.identity import Role
from orchestration.coordination.rules import Rules
from orchestration.coordination.rules_file import read_rules
from orchestration.coordination.storage import tokens
from orchestration.coordination.storage.database import Database
from orchestration.coordination.storage.tokens import TokenHolder
from orchestration.errors import UsageError
from orchestration.settings import Settings

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
    rules: Path | None,
    as_json: bool,
) -> None:
    """Serve the API until the process is told to end."""
    log_to_stderr()
    is_exposed = host not in LOOPBACK_HOSTS
    secret = os.environ.get(WEBHOOK_SECRET_VARIABLE, "")
    if webhook_url and not secret:
        raise UsageError(
            "a webhook needs a secret to sign with",
            hint=f"set {WEBHOOK_SECRET_VARIABLE} to a long random text that the receiver knows",
        )
    settings = ServerSettings(
        is_exposed=is_exposed,
        allowed_agents=tuple(allowed_agents) or ServerSettings().allowed_agents,
        webhook_url=webhook_url,
        webhook_secret=secret,
        rules=read_rules(rules) if rules else Rules(),
    )
    database = Database.open(database_location(state_dir, database_url))
    try:
        with database.reading() as tx:
            is_embedded = not is_exposed and not tokens.any_exists(tx)
        shown = f"[{host}]" if ":" in host else host

        def announce(taken_port: int) -> None:
            url = f"http://{shown}:{taken_port}"
            if as_json:
                event = {
                    "event": "serving",
                    "url": url,
                    "database": database.description,
                    "tokens_required": not is_embedded,
                }
                sys.stdout.write(json.dumps(event) + "\n")
                sys.stdout.flush()
                return
            output = console.output()
            output.print(f"serving on {url}, data in {escape(database.description)}")
            if is_embedded:
                output.print(
                    "no token was created yet: whoever can call this machine is believed to be "
                    "whom the request names; `conductor token create` ends that"
                )

        serve(database, settings, host=host, port=port, on_ready=announce)
    finally:
        database.close()


def create_token(
    *,
    role: str,
    subject: str,
    customer: str | None,
    state_dir: Path | None,
    database_url: str | None,
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
    database = Database.open(database_location(state_dir, database_url))
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


def database_location(state_dir: Path | None, database_url: str | None) -> str:
    """Say where the data lies: what was named, else the environment variable, else a file here.

    Raises:
        UsageError: two places were named.
    """
    if state_dir and database_url:
        raise UsageError("--state-dir and --database-url name two places", hint="give one of them")
    url = database_url or (None if state_dir else os.environ.get(DATABASE_VARIABLE))
    if url:
        return url
    folder = state_dir or Settings.from_environment().environments_dir / STATE_FOLDER
    return f"sqlite:///{folder.resolve() / 'coordination.db'}"
