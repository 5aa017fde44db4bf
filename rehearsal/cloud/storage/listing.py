"""Lists of a bucket's objects: by prefix, folder, glob and bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument
from rehearsal.cloud.storage.objects import Objects

_GLOB_PARTS: Final = re.compile(r"\*\*/|\*\*|\[!?[^\]]+\]|\\.|.", re.DOTALL)
_PATTERNS: Final[Mapping[str, str]] = {
    "**/": "(?:.*/)?",
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
    "{": "(?:",
    "}": ")",
}


def listed(objects: Objects, bucket: str, query: Mapping[str, str]) -> JsonObject:
    """Return the objects that a request asks for, and the folders among them.

    Raises:
        ApiError: 400, 404.
    """
    if query.get("softDeleted") == "true":
        raise failed_precondition("not implemented in the local cloud: softDeleted")
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    found = objects.versions(bucket, prefix, is_all=query.get("versions") == "true")
    items: list[JsonObject] = []
    folders: set[str] = set()
    for item in _chosen(found, query):
        head, is_below, rest = item["name"].removeprefix(prefix).partition(delimiter or "\n")
        folder = f"{prefix}{head}{delimiter}"
        if is_below:
            folders.add(folder)
        if not is_below or (not rest and query.get("includeTrailingDelimiter") == "true"):
            items.append(item)
    answer: JsonObject = {"kind": "storage#objects"}
    return (
        answer
        | ({"items": items} if items else {})
        | ({"prefixes": sorted(folders)} if folders else {})
    )


def _chosen(found: Iterable[JsonObject], query: Mapping[str, str]) -> Iterable[JsonObject]:
    start, end = query.get("startOffset", ""), query.get("endOffset")
    glob = _pattern(query["matchGlob"]) if query.get("matchGlob") else None
    for item in found:
        is_within = item["name"] >= start and (not end or item["name"] < end)
        if is_within and (glob is None or glob.fullmatch(item["name"])):
            yield item


def _pattern(glob: str) -> re.Pattern[str]:
    """The regular expression of a glob: `*`, `**`, `?`, `[…]` and `{…,…}`."""
    pieces = []
    is_choice = False
    for part in _GLOB_PARTS.findall(glob):
        is_choice = part == "{" or (is_choice and part != "}")
        if part == "," and is_choice:
            pieces.append("|")
        elif part in _PATTERNS:
            pieces.append(_PATTERNS[part])
        elif len(part) > 1 and part[0] == "[":
            pieces.append("[" + part[1:].replace("!", "^", part[1] == "!"))
        else:
            pieces.append(re.escape(part[-1]))
    try:
        return re.compile("".join(pieces), re.DOTALL)
    except re.error as error:
        raise invalid_argument(f"Invalid value for matchGlob: {glob}") from error
