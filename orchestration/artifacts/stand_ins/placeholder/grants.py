"""Every grant of the service, put to the use that it is there for.

So that whoever takes one away sees what it was for. What is stored for it is removed again; what is
published goes its way through the dataflow, marked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from urllib.parse import quote

from .google import Google, RefusedError
from .links import Links, outcome
from .log import MARK

Grant = Mapping[str, str]
Use = Callable[[Grant], str]
# The local cloud says so of methods that it does not model; Google never does.
NOT_MODELLED = "not implemented in the local cloud"
ROUTE = "/health/live"
NOT_FOUND = 404


class Grants:
    """The roles of the service's account, each on one resource."""

    def __init__(self, grants: Iterable[Grant], google: Google, links: Links) -> None:
        self._grants = tuple(grants)
        self._google = google
        self._links = links
        self._project = f"projects/{google.project}"
        self._uses: Mapping[tuple[str, str], Use] = {
            ("topic", "pubsub.publisher"): self._publish,
            ("topic", "pubsub.viewer"): self._look_at_topic,
            ("subscription", "pubsub.subscriber"): self._pull,
            ("subscription", "pubsub.viewer"): self._look_at_subscription,
            ("bucket", "storage.objectAdmin"): self._store_and_remove,
            ("bucket", "storage.objectUser"): self._store_and_remove,
            ("bucket", "storage.objectViewer"): self._list_objects,
            ("table", "bigquery.dataEditor"): self._add_row,
            ("table", "bigquery.dataViewer"): self._read_rows,
            ("dataset", "bigquery.dataEditor"): self._list_tables,
            ("dataset", "bigquery.dataViewer"): self._list_tables,
            ("project", "datastore.user"): self._list_databases,
            ("project", "datastore.viewer"): self._list_databases,
            ("secret", "secretmanager.secretAccessor"): self._read_secret,
            ("service", "run.invoker"): self._invoke,
        }

    def used(self) -> list[dict[str, object]]:
        """Use every grant; say of each what came of it. One of another role is not tried."""
        return [self._used(grant) for grant in self._grants]

    def _used(self, grant: Grant) -> dict[str, object]:
        use = self._uses.get((grant["kind"], grant["role"].removeprefix("roles/")))
        if use is None:
            return {**grant, "outcome": "a placeholder has no use for it", "works": None}
        return {**grant, **outcome(partial(use, grant))}

    def _publish(self, grant: Grant) -> str:
        return self._links.publish(grant["name"], json.dumps({MARK: self._links.service}).encode())

    def _look_at_topic(self, grant: Grant) -> str:
        self._google.call("GET", "pubsub", f"{self._project}/topics/{grant['name']}")
        return "it is there"

    def _look_at_subscription(self, grant: Grant) -> str:
        self._google.call("GET", "pubsub", f"{self._project}/subscriptions/{grant['name']}")
        return "it is there"

    def _pull(self, grant: Grant) -> str:
        return f"took {self._links.pull(grant['name'], waits=False)} messages"

    def _store_and_remove(self, grant: Grant) -> str:
        place = self._links.store(grant["name"], b"{}")
        object_path = f"storage/v1/b/{quote(grant['name'])}/o/{quote(place, safe='')}"
        self._google.call("DELETE", "storage", object_path)
        return f"stored and removed {place}"

    def _list_objects(self, grant: Grant) -> str:
        path = f"storage/v1/b/{quote(grant['name'])}/o?maxResults=1"
        self._google.call("GET", "storage", path)
        return "its objects can be listed"

    def _add_row(self, grant: Grant) -> str:
        """Look at the table, then give it a row that is left out again, being of no column of it.

        Google looks at who asks before it looks at rows: the refusal of a row shows the right.
        """
        table = self._table(grant["name"])
        self._google.call("GET", "bigquery", table)
        row = {"rows": [{"json": {f"_{MARK}": self._links.service}}]}
        return self._rows("POST", f"{table}/insertAll", json.dumps(row).encode())

    def _read_rows(self, grant: Grant) -> str:
        table = self._table(grant["name"])
        self._google.call("GET", "bigquery", table)
        return self._rows("GET", f"{table}/data?maxResults=1")

    def _rows(self, method: str, path: str, body: bytes | None = None) -> str:
        try:
            self._google.call(method, "bigquery", path, body)
        except RefusedError as error:
            if NOT_MODELLED not in str(error):
                raise
            return "it is there; this cloud has no rows"
        return "its rows can be read" if body is None else "rows can be added"

    def _list_tables(self, grant: Grant) -> str:
        self._google.call("GET", "bigquery", f"{self._project}/datasets/{grant['name']}/tables")
        return "its tables can be listed"

    def _list_databases(self, _grant: Grant) -> str:
        self._google.call("GET", "firestore", f"{self._project}/databases")
        return "databases can be listed"

    def _read_secret(self, grant: Grant) -> str:
        path = f"{self._project}/secrets/{grant['name']}/versions/{grant['version']}:access"
        self._google.call("GET", "secretmanager", path)
        return "it can be read"

    def _invoke(self, grant: Grant) -> str:
        try:
            self._google.invoke(grant["name"], grant["location"], ROUTE)
        except RefusedError as error:
            # Whoever may not call it gets no answer of the service's own.
            if error.code != NOT_FOUND:
                raise
            return f"called; it has no {ROUTE}"
        return "called"

    def _table(self, name: str) -> str:
        dataset, _, table = name.partition(".")
        return f"{self._project}/datasets/{dataset}/tables/{table}"
