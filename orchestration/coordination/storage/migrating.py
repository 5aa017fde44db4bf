"""Bring a database's tables up to date.

The steps are Alembic's, in `migrations/versions`; several servers that start at once take turns.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from orchestration.coordination.storage.errors import StorageDamaged

SCRIPTS = Path(__file__).parent / "migrations"
# Any number, as long as nobody else in the same database uses it for a lock.
_MIGRATION_LOCK = 0x636F6E64


def migrate(engine: sa.Engine) -> None:
    """Apply every step that the database lacks.

    Raises:
        StorageDamaged: a newer version of this program has made the tables.
    """
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise StorageDamaged(
                f"the database is of a newer version ({current}) than this program",
                hint="install the version of conductor that last used this database",
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
