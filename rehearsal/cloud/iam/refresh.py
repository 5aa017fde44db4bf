"""Refresh the vendored list of predefined roles: `python -m rehearsal.cloud.iam.refresh FOLDER`.

FOLDER is a checkout of github.com/iann0036/iam-dataset, which collects what Google's `roles.list`
answers. Reading the list is `roles`' matter.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.iam.roles import FILE

# Permissions of other services are never asked for.
_SERVICES: Final = frozenset(
    {
        "artifactregistry",
        "bigquery",
        "billing",
        "cloudscheduler",
        "datastore",
        "iam",
        "pubsub",
        "resourcemanager",
        "run",
        "secretmanager",
        "serviceusage",
        "storage",
    }
)


def refresh(source: Path) -> None:
    """Keep of every role its title, its stage, and its permissions in the services we have."""
    roles = [
        json.loads(file.read_bytes()) for file in sorted((source / "gcp/roles").glob("*.json"))
    ]
    of_role = {role["name"]: _kept_permissions(role) for role in roles}
    permissions = sorted({name for names in of_role.values() for name in names})
    numbers = {name: number for number, name in enumerate(permissions)}
    content = {
        "permissions": permissions,
        "roles": {
            role["name"]: {
                "title": role.get("title", ""),
                "stage": role.get("stage", "GA"),
                "permissions": [numbers[name] for name in of_role[role["name"]]],
            }
            for role in roles
        },
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    # Without a time in it, an unchanged list stays the same file.
    FILE.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _kept_permissions(role: JsonObject) -> list[str]:
    names: list[str] = role.get("includedPermissions") or []
    return sorted(name for name in names if name.partition(".")[0] in _SERVICES)


if __name__ == "__main__":
    refresh(Path(sys.argv[1]))
