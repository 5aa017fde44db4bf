"""Repositories in the store."""

from __future__ import annotations

from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import not_found
from rehearsal.cloud.store import Store

REPOSITORIES: Final = "artifactregistry.repositories"


def require_repository(store: Store, name: str) -> JsonObject:
    """Return a repository.

    Raises:
        ApiError: 404.
    """
    body = store.get(REPOSITORIES, name)
    if body is None:
        raise not_found(f'Repository "{name}" not found.')
    return body


def find_repository(store: Store, repository_id: str) -> str | None:
    """The full name of a repository by its id: image names do not tell the location.

    On loopback one registry serves all locations; of equal ids in several the first by name wins.
    """
    names = (name for name, _ in store.items(REPOSITORIES))
    return next((name for name in names if name.rpartition("/")[2] == repository_id), None)
