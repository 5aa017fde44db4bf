"""Google's predefined roles: all their names, and their permissions in the services we have.

The list is vendored (`predefined_roles.json.gz`, see NOTICE); `refresh` renews it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from rehearsal.cloud.calls import JsonObject

FILE: Final = Path(__file__).with_name("predefined_roles.json.gz")
# Google gives a new dataset and a new bucket grants to the project's owners, editors and viewers
# (https://cloud.google.com/storage/docs/access-control/iam-roles#basic-roles-intrinsic and the
# default access of https://cloud.google.com/bigquery/docs/access-control-basic-roles). Nobody takes
# them away in a rehearsal, so they are the basic roles' own here.
_BY_DEFAULT_GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "roles/owner": (
        "roles/bigquery.dataOwner",
        "roles/storage.legacyBucketOwner",
        "roles/storage.legacyObjectOwner",
    ),
    "roles/editor": (
        "roles/bigquery.dataEditor",
        "roles/storage.legacyBucketOwner",
        "roles/storage.legacyObjectOwner",
    ),
    "roles/viewer": (
        "roles/bigquery.dataViewer",
        "roles/storage.legacyBucketReader",
        "roles/storage.legacyObjectReader",
    ),
}


@dataclass(frozen=True, slots=True)
class PredefinedRole:
    """A role of Google's.

    Attributes:
        name: Like `roles/pubsub.publisher`.
        title: Its name for people.
        stage: `GA`, `BETA` and so on.
        permissions: Those in the services that the local cloud has.
    """

    name: str
    title: str
    stage: str
    permissions: frozenset[str]


@cache
def predefined_role(name: str) -> PredefinedRole | None:
    """Return a role of Google's; None where Google has none of that name."""
    listed = _listed()
    role = listed["roles"].get(name)
    if role is None:
        return None
    permissions = frozenset(listed["permissions"][number] for number in role["permissions"])
    return PredefinedRole(name, role["title"], role["stage"], permissions)


@cache
def predefined_permissions(name: str) -> frozenset[str]:
    """What a predefined role permits; nothing, for a role that does not exist."""
    roles = [predefined_role(one) for one in (name, *_BY_DEFAULT_GRANTS.get(name, ()))]
    return frozenset(one for role in roles if role is not None for one in role.permissions)


def is_permission(name: str) -> bool:
    """Tell whether a permission exists, as far as the services that we have can tell."""
    service = name.partition(".")[0]
    return name in _permissions() or service not in _services()


def known_permissions() -> list[str]:
    """Return all permissions in the services that we have, by name."""
    return sorted(_permissions())


@cache
def _listed() -> JsonObject:
    listed: JsonObject = json.loads(gzip.decompress(FILE.read_bytes()))
    return listed


@cache
def _permissions() -> frozenset[str]:
    return frozenset(_listed()["permissions"])


@cache
def _services() -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in _permissions())
