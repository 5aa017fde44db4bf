"""Make room for what is to be done with plans."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what says whether, where and from which step on a plan is to run."""
    op.add_column(
        "coordinations",
        sa.Column("execute_now", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index("recommendations_by_id", "recommendations", ["id"])
    for name in ("wish", "wished_by", "environment"):
        op.add_column("plans", sa.Column(name, sa.Text(), nullable=True))
    for name in ("attempt", "first_step"):
        op.add_column("plans", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_index("plans_wished", "plans", ["wish", "seq"])
