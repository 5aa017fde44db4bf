"""The one JSON document that `preview --json` prints instead of lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rehearsal.engine.values import gojson, urns
from rehearsal.engine.values.gojson import Json, JsonObject


class Digest:
    """Listens to a preview and sums it up at its end."""

    def __init__(self, out: Callable[[str], None]) -> None:
        self._out = out
        self._started_ns = time.monotonic_ns()
        self._config: Json = {}
        self._steps: list[Json] = []
        self._diagnostics: list[Json] = []

    def __call__(self, event: JsonObject) -> None:
        """Take an event."""
        for kind, payload in event.items():
            if not isinstance(payload, Mapping):
                continue
            if kind == "preludeEvent":
                self._config = payload["config"]
            elif kind == "resourcePreEvent":
                self._take_step(payload["metadata"])
            elif kind == "diagnosticEvent" and payload["severity"] != "debug":
                self._take_diagnostic(payload)
            elif kind == "summaryEvent":
                self._finish(payload)

    def _take_step(self, metadata: Json) -> None:
        assert isinstance(metadata, Mapping)
        if urns.is_default_provider(str(metadata["urn"])):
            return
        step: JsonObject = {"op": metadata["op"], "urn": metadata["urn"]}
        for key, source in (
            ("provider", "provider"),
            ("oldState", "old"),
            ("newState", "new"),
            ("diffReasons", "diffs"),
            ("replaceReasons", "keys"),
            ("detailedDiff", "detailedDiff"),
        ):
            if metadata.get(source):
                step[key] = metadata[source]
        self._steps.append(step)

    def _take_diagnostic(self, payload: Mapping[str, Json]) -> None:
        found: JsonObject = {"urn": payload["urn"]} if "urn" in payload else {}
        message = f"{payload.get('prefix', '')}{payload['message']}"
        self._diagnostics.append({**found, "message": message, "severity": payload["severity"]})

    def _finish(self, summary: Mapping[str, Json]) -> None:
        document: JsonObject = {"config": self._config}
        if self._steps:
            document["steps"] = self._steps
        if self._diagnostics:
            document["diagnostics"] = self._diagnostics
        document["duration"] = time.monotonic_ns() - self._started_ns
        document["changeSummary"] = summary["resourceChanges"]
        if summary["maybeCorrupt"]:
            document["maybeCorrupt"] = True
        for line in gojson.dumps(document, indent=4).split("\n"):
            self._out(line)
