"""What a run has left: in the cloud, in the stacks' states, and as calls that had an effect.

Two runs of the same architecture, one undisturbed and one that was cut off again and again, must
leave the same; so whatever differs between any two environments is taken out: times, addresses,
random names.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

from end_to_end.project import Rehearsal

# What a cloud notes of its own, and what belongs to one machine or one run.
UNCOMPARED_KINDS = {"operations", "cloud.settings", "cloud.faults"}
UNCOMPARED_KEYS = {
    "completionTime",
    "createTime",
    "etag",
    "lastTransitionTime",
    "latestUpdateTime",
    "oauth2ClientId",
    "uid",
    "uniqueId",
    "updateTime",
    "uploadTime",
}
VARYING = (
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    # Cloud Run's random part of a revision's name; its number stays.
    (re.compile(r"(-\d{5})-[a-z0-9]{3}\b"), r"\1"),
    # How long its containers took to become healthy.
    (re.compile(r" in \d+(\.\d+)?s\."), " in TIME."),
)
# A run has a subscription to the director's answers for itself alone.
RUNS_OWN = re.compile(r"/subscriptions/completion-topic-\d{8}-")
# Without two whose number is chance: enabling an API enables those that it needs, and grants that
# come at once are set at once. The state tells when each grant came and went.
EFFECTS = (
    "create",
    "delete",
    "disable",
    "insert",
    "patch",
    "undelete",
    "update",
)
FIRST_ERROR = 400
LOST_REPLY = "dropped connection after"
# Numbers from here on are times in seconds since 1970.
FIRST_TIME = 1e9


def end_state(rehearsal: Rehearsal) -> dict[str, Any]:
    """Read what is there: the cloud's resources and policies, and what the stacks know of them."""
    return {"cloud": _cloud(rehearsal), "stacks": _stacks(rehearsal)}


def effects(rehearsal: Rehearsal) -> Counter[str]:
    """Count the calls that changed something, by method; a run's own subscription is left out."""
    counted: Counter[str] = Counter()
    for call in rehearsal.calls():
        name = call["method"].rpartition(".")[2]
        has_happened = 0 < call["code"] < FIRST_ERROR or call["fault"] == LOST_REPLY
        if has_happened and name in EFFECTS and not RUNS_OWN.search(call["resource"]):
            counted[call["method"]] += 1
    return counted


def _cloud(rehearsal: Rehearsal) -> dict[str, Any]:
    path = rehearsal.folder / ".conductor" / "local" / "cloud" / "state.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT kind, name, body FROM bodies ORDER BY kind, name")
        found = {
            f"{kind} {name}": json.loads(body)
            for kind, name, body in rows
            if kind not in UNCOMPARED_KINDS and not RUNS_OWN.search(name)
        }
    comparable = _Comparable(rehearsal)
    return {comparable.text(name): comparable.of(body) for name, body in found.items()}


def _stacks(rehearsal: Rehearsal) -> dict[str, Any]:
    """Give what each stack holds; one that is locked or has operations in doubt says so."""
    home = rehearsal.folder / ".conductor" / "local" / "state" / ".pulumi"
    comparable = _Comparable(rehearsal)
    found: dict[str, Any] = {"locks": [path.name for path in home.glob("locks/**/*.json")]}
    for path in sorted(home.glob("stacks/*/*.json")):
        latest = json.loads(path.read_text())["checkpoint"]["latest"] or {}
        found[path.stem] = {
            "in doubt": latest.get("pending_operations", []),
            "resources": sorted(
                (item["urn"], comparable.text(_id(item))) for item in latest.get("resources", [])
            ),
        }
    return found


def _id(resource: dict[str, Any]) -> str:
    # A provider's is random, and told to nobody.
    return "" if resource["type"].startswith("pulumi:providers:") else resource.get("id", "")


class _Comparable:
    """Takes out of a body what differs between any two environments."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self._folder = str(rehearsal.folder)

    def of(self, value: Any) -> Any:
        """Give a body without it; what is listed comes sorted, for grants have no order."""
        match value:
            case dict():
                kept = {key: item for key, item in value.items() if key not in UNCOMPARED_KEYS}
                return {self.text(key): self.of(item) for key, item in sorted(kept.items())}
            case list():
                return sorted((self.of(item) for item in value), key=json.dumps)
            case str():
                return self.text(value)
            case float() if value > FIRST_TIME:
                return "TIME"
        return value

    def text(self, text: str) -> str:
        """Give a text without it."""
        plain = text.replace(self._folder, "FOLDER")
        for pattern, instead in VARYING:
            plain = pattern.sub(instead, plain)
        return plain
