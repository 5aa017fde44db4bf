"""What goes wrong with the database itself, in words for people."""

from __future__ import annotations

from orchestration.errors import ConductorError


class StorageUnreachable(ConductorError):  # noqa: N818 - the house's tree names states, not mishaps
    """The database does not answer, or cannot be opened."""

    code = "storage-unreachable"
    retryable = True
    default_hint = "check --database-url (or CONDUCTOR_DATABASE_URL) and that the database runs"


class StorageBusy(ConductorError):  # noqa: N818
    """Somebody held the database for too long."""

    code = "storage-busy"
    retryable = True
    default_hint = "try again; if it stays busy, see which other process has the database open"


class StorageDamaged(ConductorError):  # noqa: N818
    """The data cannot be read, or was changed behind our back."""

    code = "storage-damaged"
    default_hint = "stop the server and restore the last backup of the database"
