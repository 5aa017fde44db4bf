"""What two engines must have in common: reduced to what does not depend on time or chance."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.secrets.passphrase import unlock
from rehearsal.engine.state import checkpoint

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Times, and where in which installation of Python a registration came from.
_PASSING = ("created", "modified", "stackTrace", "sourcePosition")
_DEFAULT_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def steps(events: list[dict[str, Any]]) -> Counter[str]:
    """Count the steps that events tell of, each with all that is said about it."""
    found: Counter[str] = Counter()
    for event in events:
        for kind, payload in event.items():
            if isinstance(payload, dict) and "metadata" in payload:
                metadata = payload["metadata"]
                told = {
                    "kind": kind,
                    "planning": payload.get("planning", False),
                    **{key: metadata.get(key) for key in ("op", "urn", "keys", "diffs", "logical")},
                    "detailedDiff": metadata.get("detailedDiff"),
                    "old": _described(metadata.get("old")),
                    "new": _described(metadata.get("new")),
                }
                found[json.dumps(told, sort_keys=True)] += 1
    return found


def _described(state: dict[str, Any] | None) -> object:
    """Take what does not change from one run to the next out of a state in an event."""
    return None if state is None else json.loads(_nameless(json.dumps(state)))


def same_steps(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    """Compare the steps of two runs; return what only one of them has, nothing if all is alike."""
    here, there = steps(mine), steps(theirs)
    lines = [f"only ours:   {text}" for text in (here - there).elements()]
    lines += [f"only theirs: {text}" for text in (there - here).elements()]
    return "\n".join(sorted(lines, key=lambda line: line[13:]))


def changes(events: list[dict[str, Any]]) -> object:
    """Return what the summary counts and how it calls the result."""
    told = [event["summaryEvent"] for event in events if "summaryEvent" in event]
    return [(summary["resourceChanges"], summary["result"]) for summary in told]


def errors(events: list[dict[str, Any]]) -> list[str]:
    """Return the first lines of the errors that were reported, each once."""
    told = {
        event["diagnosticEvent"]["message"].strip().split("\n", 1)[0]
        for event in events
        if event.get("diagnosticEvent", {}).get("severity") == "error"
    }
    return sorted(told)


def state(file: Path, passphrase: str) -> object:
    """Read a checkpoint, decrypted, without what depends on time and chance."""
    deployment = checkpoint.deployment_of(json.loads(file.read_text()))
    codec = StateCodec(lambda: unlock(checkpoint.salt_of(deployment), passphrase))
    written = checkpoint.write(checkpoint.read(deployment, codec), None)
    resources = written.get("resources", [])
    assert isinstance(resources, list)
    kept = [_lasting(item) for item in resources if isinstance(item, dict)]
    found = json.loads(_nameless(json.dumps(kept)))
    # Independent resources finish in any order; an old one stands behind its replacement.
    return sorted(found, key=lambda item: (item["urn"], bool(item.get("delete"))))


def _lasting(resource: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in resource.items() if key not in _PASSING}
    # The SDK collects dependencies in sets.
    if "dependencies" in kept:
        kept["dependencies"] = sorted(kept["dependencies"])
    if "propertyDependencies" in kept:
        kept["propertyDependencies"] = {
            key: sorted(urns or ()) for key, urns in kept["propertyDependencies"].items()
        }
    return kept


def _nameless(text: str) -> str:
    """Take the names away that an engine gives at random."""
    return _UUID.sub(lambda found: found[0] if found[0] == _DEFAULT_UNKNOWN else "SOME-ID", text)
