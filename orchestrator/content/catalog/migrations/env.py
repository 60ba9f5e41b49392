# SPDX-License-Identifier: GPL-3.0-or-later
"""What alembic runs to migrate: always on a connection that is given, in the transaction that is open there."""

from alembic import context

from orchestrator.content.catalog.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
