"""Environment variables that tell a service who it is and what its links lead to.

`SERVICE_DIRECTOR_URL` is known only when the director is deployed, so it is added there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from architecture.links import Direction, Link
from architecture.model import BigQueryTable, Service
from architecture.names import without_suffix

DIRECTOR_DATAFLOW_NAME: Final = "conductor"
"""What the director finds in `DATAFLOW_NAME`: it belongs to no dataflow of the application."""

_ENDINGS: Final = {
    ("topics", Direction.PRODUCES): "TOPIC_ID",
    ("subscriptions", Direction.CONSUMES): "SUB_ID",
    ("bigquery_tables", Direction.PRODUCES): "WRITE_TABLE",
    ("bigquery_tables", Direction.CONSUMES): "READ_TABLE",
    ("gcs_buckets", Direction.PRODUCES): "WRITE_BUCKET",
    ("gcs_buckets", Direction.CONSUMES): "READ_BUCKET",
    ("firestore_collections", Direction.PRODUCES): "WRITE_COLLECTION",
    ("firestore_collections", Direction.CONSUMES): "READ_COLLECTION",
    ("firestore_databases", Direction.PRODUCES): "WRITE_DATABASE",
    ("firestore_databases", Direction.CONSUMES): "READ_DATABASE",
}


def variable(link: Link, suffix: str = "") -> str:
    """Return the variable that holds the name of what a link with `method: env` leads to.

    It is the link's key; without one it is made of the resource's name. A suffix is no part of it:
    programs read the same variable in every test run.
    """
    if link.mapping.lookup and link.mapping.lookup.key:
        return link.mapping.lookup.key
    is_table = isinstance(link.resource, BigQueryTable)
    name = link.resource.name if is_table else without_suffix(link.resource.name, suffix)
    stem = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"{stem}_{_ENDINGS[link.kind, link.direction]}"


def injected(
    service: Service, links: Iterable[Link], *, project_id: str, dataflow: str, suffix: str
) -> dict[str, str]:
    """Return the variables that a service gets beside those that it declares."""
    return {
        "PROJECT_ID": project_id,
        "SERVICE_NAME": service.name,
        "DATAFLOW_NAME": dataflow,
        **{variable(link, suffix): link.resource_name for link in links if link.method == "env"},
    }
