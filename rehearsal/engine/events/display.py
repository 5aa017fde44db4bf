"""Engine events as the lines people know from `pulumi up`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rehearsal.engine.secrets.codec import BLINDED
from rehearsal.engine.state.steps import Op
from rehearsal.engine.values import gojson, urns
from rehearsal.engine.values.gojson import Json, JsonObject
from rehearsal.engine.values.property_values import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_TEXTS

Output = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Words:
    symbol: str
    planned: str
    doing: str
    done: str
    counted: str


_WORDS: Final[Mapping[str, _Words]] = {
    Op.CREATE: _Words(" + ", "create", "creating", "created", "created"),
    Op.UPDATE: _Words(" ~ ", "update", "updating", "updated", "updated"),
    Op.DELETE: _Words(" - ", "delete", "deleting", "deleted", "deleted"),
    Op.REPLACE: _Words(" +-", "replace", "replacing", "replaced", "replaced"),
    Op.CREATE_REPLACEMENT: _Words(
        " ++", "create replacement", "creating replacement", "created replacement", ""
    ),
    Op.DELETE_REPLACED: _Words(
        " --", "delete original", "deleting original", "deleted original", ""
    ),
    Op.READ: _Words(" > ", "read", "reading", "read", "read"),
    Op.REFRESH: _Words(" ~ ", "refresh", "refreshing", "refreshed", ""),
    Op.DISCARD: _Words(" < ", "discard", "discarding", "discarded", "discarded"),
    Op.DISCARD_REPLACED: _Words(
        " <<", "discard original", "discarding original", "discarded original", ""
    ),
    Op.READ_REPLACEMENT: _Words(
        " >>", "read replacement", "reading replacement", "read replacement", ""
    ),
    Op.IMPORT_REPLACEMENT: _Words(
        " =>", "import replacement", "importing replacement", "imported replacement", ""
    ),
    Op.IMPORT: _Words(" = ", "import", "importing", "imported", "imported"),
}
# Nobody's resources come or go with these.
_UNCOUNTED: Final = frozenset({Op.READ, Op.READ_REPLACEMENT, Op.DISCARD})
_KIND_SYMBOLS: Final = (("add", "+"), ("delete", "-"), ("update", "~"))
TITLES: Final[Mapping[tuple[str, bool], str]] = {
    ("update", False): "Updating",
    ("update", True): "Previewing update",
    ("refresh", False): "Refreshing",
    ("refresh", True): "Previewing refresh",
    ("destroy", False): "Destroying",
    ("destroy", True): "Previewing destroy",
}


class Display:
    """Listens to one operation and tells the user about it."""

    def __init__(
        self,
        out: Output,
        *,
        kind: str,
        stack: str,
        project: str,
        is_preview: bool,
        show_outputs: bool = True,
        show_progress: bool = True,
    ) -> None:
        self._out = out
        self._kind = kind
        self._stack = stack
        self._is_preview = is_preview
        self._show_outputs = show_outputs
        self._show_progress = show_progress
        self._root = urns.make(stack, project, urns.ROOT_TYPE, f"{project}-{stack}")
        self._started: dict[tuple[str, str], float] = {}
        self._diagnostics: dict[str, list[str]] = {}
        self._failed: set[str] = set()
        self._root_metadata: Mapping[str, Json] | None = None
        out(f"{TITLES[kind, is_preview]} ({stack}):")
        out("")

    def __call__(self, event: JsonObject) -> None:
        """Take an event."""
        for kind, payload in event.items():
            if isinstance(payload, Mapping):
                self._take(kind, payload)

    def _take(self, kind: str, payload: Mapping[str, Json]) -> None:
        metadata = payload.get("metadata")
        if isinstance(metadata, Mapping):
            self._take_step(kind, metadata)
        elif kind == "diagnosticEvent":
            self._take_diagnostic(payload)
        elif kind == "stdoutEvent":
            self._out(str(payload["message"]))
        elif kind == "summaryEvent":
            self._finish(payload)

    def _take_step(self, kind: str, metadata: Mapping[str, Json]) -> None:
        op, urn = str(metadata["op"]), str(metadata["urn"])
        if urn == self._root and kind == "resOutputsEvent":
            self._root_metadata = metadata
        if urns.is_default_provider(urn):
            return
        words = _WORDS.get(op)
        if kind == "resourcePreEvent":
            self._started[op, urn] = time.monotonic()
            if words:
                suffix = words.planned if self._is_preview else f"{words.doing} (0s)"
                self._line(words.symbol, urn, suffix, metadata)
        elif kind == "resOpFailedEvent" and words:
            self._failed.add(urn)
            self._line(words.symbol, urn, f"**{words.doing} failed**", metadata)
        elif kind == "resOutputsEvent" and words and not self._is_preview:
            now = time.monotonic()
            # A refresh ends as what it has found.
            started = self._started.get((op, urn)) or self._started.get((Op.REFRESH, urn)) or now
            took = now - started
            self._line(words.symbol, urn, f"{words.done} ({took:.2f}s)", metadata)

    def _line(self, symbol: str, urn: str, text: str, metadata: Mapping[str, Json]) -> None:
        if not self._show_progress:
            return
        parsed = urns.parse(urn)
        diff = _diff_summary(metadata)
        self._out(f"{symbol} {urns.display_type(parsed.type)} {parsed.name} {text} {diff}")

    def _take_diagnostic(self, payload: Mapping[str, Json]) -> None:
        severity = str(payload["severity"])
        if severity == "debug":
            return
        urn = str(payload.get("urn") or self._root)
        text = f"{payload.get('prefix', '')}{payload['message']}".rstrip("\n")
        self._diagnostics.setdefault(urn, []).append(text)
        if severity == "error":
            self._failed.add(urn)
        if self._show_progress:
            parsed = urns.parse(urn)
            first = text.split("\n", 1)[0]
            self._out(f"    {urns.display_type(parsed.type)} {parsed.name}  {first}")

    def _finish(self, summary: Mapping[str, Json]) -> None:
        if self._diagnostics:
            self._out("Diagnostics:")
            for urn, texts in self._diagnostics.items():
                parsed = urns.parse(urn)
                self._out(f"  {urns.display_type(parsed.type)} ({parsed.name}):")
                for text in texts:
                    for line in text.split("\n"):
                        self._out(f"    {line}".rstrip())
                self._out("")
        if self._show_outputs and self._kind == "update" and self._root_metadata:
            self._print_outputs(self._root_metadata)
        self._print_counts(summary)
        if not self._is_preview:
            self._out(f"Duration: {summary['durationSeconds']}s")
            self._out("")
        if self._kind == "destroy" and summary["result"] == "succeeded" and not self._is_preview:
            self._out(
                "The resources in the stack have been deleted, but the history and configuration"
                " associated with the stack are still maintained."
            )
            self._out(
                f"If you want to remove the stack completely, run `pulumi stack rm {self._stack}`."
            )

    def _print_outputs(self, metadata: Mapping[str, Json]) -> None:
        old, new = _outputs(metadata.get("old")), _outputs(metadata.get("new"))
        made = metadata["op"] == Op.CREATE
        keys = sorted({*old, *new} if not made else new)
        lines = []
        width = max((len(key) for key in keys), default=0)
        for key in keys:
            text = _text(new[key]) if key in new else _text(old[key])
            mark = "   "
            if not made and key not in old:
                mark = "  +"
            elif not made and key not in new:
                mark = "  -"
            elif not made and old[key] != new[key]:
                mark, text = "  ~", f"{_text(old[key])} => {text}"
            elif not made and self._is_preview:
                continue
            lines.append(f"{mark} {key:<{width}}: {text}")
        if lines:
            self._out("Outputs:")
            for line in lines:
                self._out(line)
            self._out("")

    def _print_counts(self, summary: Mapping[str, Json]) -> None:
        found = summary["resourceChanges"]
        changes: Counter[str] = Counter()
        for op, count in (found if isinstance(found, Mapping) else {}).items():
            changes[op] = count if isinstance(count, int) else 0
        self._out("Resources:")
        kinds = [op for op in _WORDS if changes[op] and op not in _UNCOUNTED]
        for op, words in _WORDS.items():
            if op in kinds:
                verb = f"to {words.planned}" if self._is_preview else words.counted
                self._out(f"    {words.symbol.strip():<2}{changes[op]} {verb}")
        total = f"{sum(changes[op] for op in kinds)} changes. " if len(kinds) > 1 else ""
        same = f"{changes[Op.SAME]} unchanged" if changes[Op.SAME] else ""
        if total or same:
            self._out(f"    {total}{same}".rstrip())
        if self._failed:
            self._out(f"    {len(self._failed)} errored")
        self._out("")


def _outputs(state: Json) -> Mapping[str, Json]:
    found = state.get("outputs") if isinstance(state, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Json) -> str:
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET_SIGNATURE:
        return BLINDED
    if value in UNKNOWN_TEXTS if isinstance(value, str) else False:
        return "[unknown]"
    return gojson.dumps(_masked(value))


def _masked(value: Json) -> Json:
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return BLINDED
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _diff_summary(metadata: Mapping[str, Json]) -> str:
    """Summarise a diff as `[diff: +added-deleted~updated]`."""
    detailed = metadata.get("detailedDiff")
    changed: dict[str, list[str]] = {"add": [], "delete": [], "update": []}
    for path, entry in (detailed if isinstance(detailed, Mapping) else {}).items():
        kind = str(entry["diffKind"]) if isinstance(entry, Mapping) else "update"
        key = path.split(".", 1)[0].split("[", 1)[0]
        keys = changed[kind.partition("-")[0]]
        if key not in keys:
            keys.append(key)
    if not any(changed.values()):
        keys_ = metadata.get("diffs") or metadata.get("keys")
        changed["update"] = [str(key) for key in keys_] if isinstance(keys_, list) else []
    text = "".join(
        f"{symbol}{','.join(sorted(changed[kind]))}"
        for kind, symbol in _KIND_SYMBOLS
        if changed[kind]
    )
    return f"[diff: {text}]" if text else ""
