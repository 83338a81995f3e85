"""Run by Alembic: apply the steps on the connection that `luban.store.migrate` hands over."""

from __future__ import annotations

from alembic import context

from luban.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
