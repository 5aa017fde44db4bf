"""Run migrations on the connection that `migrating.migrate` hands over."""

from __future__ import annotations

from alembic import context

from orchestration.coordination.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
