"""What the coordination engine remembers, on SQLite or PostgreSQL.

`database` opens and gives transactions; every other module owns the rows of one kind and runs
inside a transaction that its caller holds. This package alone imports SQLAlchemy and Alembic.
"""
